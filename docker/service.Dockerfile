# The API and the page: what jobs/ and service/ need, extras included, and no more, so no torch, no decoder and no weights.
#
#   docker build -f docker/service.Dockerfile -t twofold-service .

FROM python:3.11-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src

# What is installed changes seldom and our code often, so each has a stage and a layer of its own, made in the same place.
FROM build AS dependencies
RUN python -m venv --without-pip /opt/twofold
COPY constraints.txt ./
COPY requirements/jobs.txt requirements/service.txt requirements/s3.txt requirements/otel.txt requirements/
RUN pip --python /opt/twofold/bin/python install -c constraints.txt \
    -r requirements/jobs.txt -r requirements/service.txt -r requirements/s3.txt -r requirements/otel.txt

FROM build AS code
RUN python -m venv --without-pip /opt/twofold
COPY . ./
# The API tells of models and runs none: their configs are enough.
RUN rm -f models/zoo/*/*.safetensors \
    && pip --python /opt/twofold/bin/python install --no-deps .

FROM python:3.11-slim-bookworm
RUN useradd --uid 10001 --user-group --home-dir /tmp --no-create-home --shell /usr/sbin/nologin twofold \
    && install -d -o 10001 -g 10001 /data /models
COPY --from=dependencies /opt/twofold /opt/twofold
COPY --from=code /opt/twofold /opt/twofold
ENV PATH=/opt/twofold/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp \
    TWOFOLD_DATA_DIR=/data TWOFOLD_MODELS_DIR=/models
USER 10001:10001
WORKDIR /data
EXPOSE 8000
CMD ["twofold", "serve"]
