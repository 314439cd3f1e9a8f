// Runs a network that PyTorch trained, without Python: run_pytorch NET.pt2 < images
//
// The network is a package of AOTInductor, which takes images of shape (n, 1, 8, 8). The numbers of
// the images come as text, 64 an image; for each a line goes out: its class, and its ten logits.

#include <cstdint>
#include <exception>
#include <iomanip>
#include <iostream>
#include <iterator>
#include <stdexcept>
#include <vector>

#include <ATen/Tensor.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/from_blob.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>

int main(int count, char** words) try {
  if (count != 2) throw std::runtime_error("run_pytorch NET.pt2 < images");
  using Numbers = std::istream_iterator<float>;
  std::vector<float> pixels(Numbers{std::cin}, Numbers{});
  const std::int64_t n = pixels.size() / 64;

  c10::InferenceMode no_gradients;
  torch::inductor::AOTIModelPackageLoader net(words[1]);
  const at::Tensor images = at::from_blob(pixels.data(), {n, 1, 8, 8});
  const at::Tensor logits = net.run({images})[0];
  const at::Tensor classes = logits.argmax(1);

  std::cout << std::setprecision(9);
  for (std::int64_t i = 0; i < n; ++i) {
    std::cout << classes[i].item<std::int64_t>();
    for (std::int64_t k = 0; k < 10; ++k) std::cout << ' ' << logits[i][k].item<float>();
    std::cout << '\n';
  }
} catch (const std::exception& problem) {
  std::cerr << problem.what() << '\n';
  return 1;
}
