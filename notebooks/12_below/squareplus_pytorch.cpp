// Two operations of PyTorch, by its stable ABI.
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include "squareplus.h"

using torch::stable::Tensor;

static Tensor doubles(const Tensor &x) {
    STD_TORCH_CHECK(x.scalar_type() == torch::headeronly::ScalarType::Double,
                    "squareplus takes float64");
    return torch::stable::contiguous(x);
}

Tensor squareplus(const Tensor &given) {
    Tensor x = doubles(given), y = torch::stable::empty_like(x);
    forward(x.const_data_ptr<double>(), y.mutable_data_ptr<double>(),
            x.numel());
    return y;
}

Tensor squareplus_grad(const Tensor &given, const Tensor &at) {
    Tensor dy = doubles(given), x = doubles(at);
    STD_TORCH_CHECK(dy.numel() == x.numel(), "shapes differ");
    Tensor dx = torch::stable::empty_like(x);
    backward(dy.const_data_ptr<double>(), x.const_data_ptr<double>(),
             dx.mutable_data_ptr<double>(), x.numel());
    return dx;
}

STABLE_TORCH_LIBRARY(course, m) {
    m.def("squareplus(Tensor x) -> Tensor");
    m.def("squareplus_grad(Tensor dy, Tensor x) -> Tensor");
}

STABLE_TORCH_LIBRARY_IMPL(course, CPU, m) {
    m.impl("squareplus", TORCH_BOX(&squareplus));
    m.impl("squareplus_grad", TORCH_BOX(&squareplus_grad));
}
