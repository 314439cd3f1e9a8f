// Runs a network that TensorFlow saved, without Python:
// run_tensorflow SAVED_MODEL INPUT OUTPUT < images
//
// INPUT, of shape (n, 8, 8, 1), and OUTPUT are operations that the model's signature names. The
// numbers of the images come as text, 64 an image; for each a line goes out: its class, and its ten
// logits.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <exception>
#include <iomanip>
#include <iostream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include <tensorflow/c/c_api.h>

int main(int count, char** words) try {
  if (count != 4) throw std::runtime_error("run_tensorflow SAVED_MODEL INPUT OUTPUT < images");
  using Numbers = std::istream_iterator<float>;
  const std::vector<float> pixels(Numbers{std::cin}, Numbers{});
  const std::int64_t shape[] = {static_cast<std::int64_t>(pixels.size() / 64), 8, 8, 1};

  TF_Status* status = TF_NewStatus();
  const auto check = [status] {
    if (TF_GetCode(status) != TF_OK) throw std::runtime_error(TF_Message(status));
  };
  TF_Graph* graph = TF_NewGraph();
  TF_SessionOptions* options = TF_NewSessionOptions();
  const char* tags[] = {"serve"};
  TF_Session* session = TF_LoadSessionFromSavedModel(
      options, nullptr, words[1], tags, 1, graph, nullptr, status);
  check();
  const auto named = [graph](const std::string& name) {
    TF_Operation* found = TF_GraphOperationByName(graph, name.c_str());
    if (!found) throw std::runtime_error("there is no operation " + name);
    return TF_Output{found, 0};
  };
  const TF_Output input = named(words[2]), output = named(words[3]);

  TF_Tensor* images = TF_AllocateTensor(TF_FLOAT, shape, 4, pixels.size() * sizeof(float));
  std::memcpy(TF_TensorData(images), pixels.data(), TF_TensorByteSize(images));
  TF_Tensor* logits = nullptr;
  TF_SessionRun(session, nullptr, &input, &images, 1, &output, &logits, 1, nullptr, 0, nullptr,
                status);
  check();

  std::cout << std::setprecision(9);
  const float* row = static_cast<const float*>(TF_TensorData(logits));
  for (std::int64_t i = 0; i < shape[0]; ++i, row += 10) {
    std::cout << std::max_element(row, row + 10) - row;
    for (int k = 0; k < 10; ++k) std::cout << ' ' << row[k];
    std::cout << '\n';
  }

  TF_DeleteTensor(logits);
  TF_DeleteTensor(images);
  TF_CloseSession(session, status);
  TF_DeleteSession(session, status);
  TF_DeleteSessionOptions(options);
  TF_DeleteGraph(graph);
  TF_DeleteStatus(status);
} catch (const std::exception& problem) {
  std::cerr << problem.what() << '\n';
  return 1;
}
