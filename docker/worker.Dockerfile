# The workers: torch, the decoder and the shipped models.
#
#   docker build -f docker/worker.Dockerfile -t twofold-worker .
#
# TORCH_INDEX is the address that pytorch.org/get-started shows for the build of PyTorch that is wanted: the one for the CPU
# makes an image of about 1.5 GB. Left empty, pip finds a build by itself; on x86-64 that one brings CUDA and several GB.
# LEARNS=true adds what training needs above serving (docker/compose.training.yml).

FROM python:3.11-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src

# What is installed changes seldom and our code often, so each has a stage and a layer of its own, made in the same place.
# PyTorch comes first: a change of any other requirement leaves it alone, and its index is asked for nothing else.
FROM build AS dependencies
ARG TORCH_INDEX=
RUN python -m venv --without-pip /opt/twofold
COPY constraints.txt ./
RUN pip --python /opt/twofold/bin/python install -c constraints.txt ${TORCH_INDEX:+--no-deps --index-url "$TORCH_INDEX"} torch
COPY requirements/jobs.txt requirements/worker.txt requirements/s3.txt requirements/otel.txt requirements/training.txt requirements/
ARG LEARNS=
RUN pip --python /opt/twofold/bin/python install -c constraints.txt \
    -r requirements/jobs.txt -r requirements/worker.txt -r requirements/s3.txt -r requirements/otel.txt \
    ${LEARNS:+-r requirements/training.txt}

FROM build AS code
RUN python -m venv --without-pip /opt/twofold
COPY . ./
RUN pip --python /opt/twofold/bin/python install --no-deps .

FROM python:3.11-slim-bookworm
RUN useradd --uid 10001 --user-group --home-dir /tmp --no-create-home --shell /usr/sbin/nologin twofold \
    && install -d -o 10001 -g 10001 /data /models
COPY --from=dependencies /opt/twofold /opt/twofold
COPY --from=code /opt/twofold /opt/twofold
ENV PATH=/opt/twofold/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp MPLCONFIGDIR=/tmp/matplotlib \
    TWOFOLD_DATA_DIR=/data TWOFOLD_MODELS_DIR=/models
USER 10001:10001
WORKDIR /data
CMD ["twofold", "worker"]
