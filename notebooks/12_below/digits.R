# Trains the same network in both frameworks, from R: Rscript digits.R
#
# reticulate runs Python inside R, the one that RETICULATE_PYTHON names. Where convert = FALSE is
# said, what comes out of Python stays there: images and weights never become matrices of R.

library(reticulate)

data <- import("paired.data", convert = FALSE)
digits <- data$digits()
x <- digits$x_train$reshape(-1L, 64L)
y <- digits$y_train
shapes <- dict(hidden = tuple(32L, 64L), output = tuple(10L, 32L))
start <- data$initial_weights(shapes)
zeros <- import("numpy", convert = FALSE)$zeros
steps <- 10L

show <- function(name, losses) {
  cat(sprintf("%-10s", name), sprintf("%.3f", losses[c(1, 5, 10)]), "\n")
}

torch <- import("torch")
nn <- torch$nn
hidden <- nn$Linear(64L, 32L)
output <- nn$Linear(32L, 10L)
invisible(with(torch$no_grad(), {
  hidden$weight$copy_(torch$from_numpy(start$get("hidden")))
  output$weight$copy_(torch$from_numpy(start$get("output")))
  hidden$bias$zero_()
  output$bias$zero_()
}))
net <- nn$Sequential(hidden, nn$ReLU(), output)
optimizer <- torch$optim$SGD(net$parameters(), lr = 0.5)
images <- torch$from_numpy(x)
labels <- torch$from_numpy(y)
losses <- c()
for (step in seq_len(steps)) {
  optimizer$zero_grad()
  loss <- nn$functional$cross_entropy(net(images), labels)
  loss$backward()
  optimizer$step()
  losses[step] <- loss$item()
}
show("PyTorch", losses)

with(import("paired.imports")$quiet_import(), keras <- import("keras"))
layers <- keras$layers
hidden <- layers$Dense(32L, activation = "relu")
output <- layers$Dense(10L)
net <- keras$Sequential(list(keras$Input(list(64L)), hidden, output))
hidden$set_weights(list(start$get("hidden")$T, zeros(32L)))
output$set_weights(list(start$get("output")$T, zeros(10L)))
loss <- keras$losses$SparseCategoricalCrossentropy(from_logits = TRUE)
net$compile(keras$optimizers$SGD(0.5), loss)
record <- net$fit(x, y, batch_size = 2000L, epochs = steps, verbose = 0L)
show("TensorFlow", unlist(record$history$loss))
