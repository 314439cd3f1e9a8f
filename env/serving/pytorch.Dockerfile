# LitServe with the network of lesson 11. From the folder of the course, with weights.pt in it:
#   docker build -f env/serving/pytorch.Dockerfile -t digits-pytorch .
#   docker run --rm -p 127.0.0.1:8000:8000 digits-pytorch
FROM python:3.12-slim
# An index that has torch's CPU build saves 3 GB; see env/README.md.
ARG TORCH_INDEX
RUN pip install --no-cache-dir ${TORCH_INDEX:+--extra-index-url $TORCH_INDEX} \
    torch==2.13.0 litserve==0.2.19
WORKDIR /srv
COPY notebooks/11_serving/net.py notebooks/11_serving/lit.py weights.pt ./
USER nobody
# All interfaces of the container: what the outside reaches is what -p publishes.
ENV HOST=0.0.0.0
EXPOSE 8000
CMD ["python", "lit.py", "8000", "weights.pt", "16"]
