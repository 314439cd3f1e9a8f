/* Plain C: knows nothing of either framework. */
#include "squareplus.h"

void squareplus(const double *x, double *y, size_t n) {
    forward(x, y, n);
}

void squareplus_grad(const double *dy, const double *x, double *dx,
                     size_t n) {
    backward(dy, x, dx, n);
}
