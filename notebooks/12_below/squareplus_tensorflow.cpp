// Two operations of TensorFlow, by its C API.
#include <tensorflow/c/kernels.h>
#include <tensorflow/c/ops.h>
#include <tensorflow/c/tf_tensor.h>

#include <vector>

#include "squareplus.h"

// A kernel's view of a tensor: released when it goes.
struct Tensor {
    TF_Tensor *t = nullptr;
    ~Tensor() { TF_DeleteTensor(t); }
    double *data() { return static_cast<double *>(TF_TensorData(t)); }
    size_t size() { return TF_TensorElementCount(t); }
};

struct Status {
    TF_Status *s = TF_NewStatus();
    ~Status() { TF_DeleteStatus(s); }
};

static void allocate(TF_OpKernelContext *context, Tensor &x, Tensor &y) {
    std::vector<int64_t> sizes;
    for (int i = 0; i < TF_NumDims(x.t); i++)
        sizes.push_back(TF_Dim(x.t, i));
    y.t = TF_AllocateOutput(context, 0, TF_DOUBLE, sizes.data(),
                            sizes.size(), TF_TensorByteSize(x.t), Status().s);
}

static void squareplus(void *, TF_OpKernelContext *context) {
    Tensor x, y;
    TF_GetInput(context, 0, &x.t, Status().s);
    allocate(context, x, y);
    forward(x.data(), y.data(), x.size());
}

static void squareplus_grad(void *, TF_OpKernelContext *context) {
    Status status;
    Tensor dy, x, dx;
    TF_GetInput(context, 0, &dy.t, status.s);
    TF_GetInput(context, 1, &x.t, status.s);
    if (dy.size() != x.size()) {
        TF_SetStatus(status.s, TF_INVALID_ARGUMENT, "shapes differ");
        TF_OpKernelContext_Failure(context, status.s);
        return;
    }
    allocate(context, x, dx);
    backward(dy.data(), x.data(), dx.data(), x.size());
}

// The output has the shape of input 0.
static void same_shape(TF_ShapeInferenceContext *context, TF_Status *status) {
    TF_ShapeHandle *shape = TF_NewShapeHandle();
    TF_ShapeInferenceContextGetInput(context, 0, shape, status);
    TF_ShapeInferenceContextSetOutput(context, 0, shape, status);
    TF_DeleteShapeHandle(shape);
}

using Kernel = void (*)(void *, TF_OpKernelContext *);

// An operation for two types, and a kernel for one of them on the CPU.
static void add(const char *name, std::vector<const char *> inputs,
                Kernel kernel) {
    Status status;
    auto *op = TF_NewOpDefinitionBuilder(name);
    for (const char *input : inputs)
        TF_OpDefinitionBuilderAddInput(op, input);
    TF_OpDefinitionBuilderAddOutput(op, "y: T");
    TF_OpDefinitionBuilderAddAttr(op, "T: {float, double}");
    TF_OpDefinitionBuilderSetShapeInferenceFunction(op, &same_shape);
    TF_RegisterOpDefinition(op, status.s);
    auto *on_cpu = TF_NewKernelBuilder(name, "CPU", nullptr, kernel, nullptr);
    TF_KernelBuilder_TypeConstraint(on_cpu, "T", TF_DOUBLE, status.s);
    TF_RegisterKernelBuilder(name, on_cpu, status.s);
}

// Runs when the library is loaded.
static bool added = [] {
    add("Squareplus", {"x: T"}, &squareplus);
    add("SquareplusGrad", {"dy: T", "x: T"}, &squareplus_grad);
    return true;
}();
