# TensorFlow Serving with a SavedModel. From the folder of the course, with digits/1/ in it:
#   docker build -f env/serving/tensorflow.Dockerfile -t digits-tensorflow .
#   docker run --rm -p 127.0.0.1:8500:8500 -p 127.0.0.1:8501:8501 digits-tensorflow
FROM tensorflow/serving:2.20.0
COPY digits /models/digits
ENV MODEL_NAME=digits
# 8500: gRPC. 8501: REST. The image starts tensorflow_model_server by itself.
EXPOSE 8500 8501
