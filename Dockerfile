# docker build -t sluicegate .
# docker run --read-only -v "$PWD/gate.yaml:/etc/sluicegate/gate.yaml:ro" -v gate:/var/lib/sluicegate sluicegate
ARG PYTHON_IMAGE=python:3.11-slim

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1
WORKDIR /src
# The environment that becomes the image holds no pip; the one beside it installs into it and builds the wheel.
RUN python -m venv /build && python -m venv --without-pip /opt/sluicegate
# The lock file changes more rarely than the code, so its layer comes first. Wheels alone: nothing is compiled.
COPY requirements requirements
RUN /build/bin/pip --python /opt/sluicegate/bin/python install --require-hashes --only-binary :all: -r requirements/run.lock \
    && /build/bin/pip install --require-hashes --only-binary :all: -r requirements/dev.lock
COPY . .
RUN /build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /build/bin/pip --python /opt/sluicegate/bin/python install --no-deps --no-index /wheels/*.whl \
    && /opt/sluicegate/bin/python -m compileall -q /opt/sluicegate/lib

FROM ${PYTHON_IMAGE}
ARG VERSION=unreleased
ARG REVISION=unknown
LABEL org.opencontainers.image.title="sluicegate" \
    org.opencontainers.image.description="Telemetry goes through the gate; personal data and secrets do not." \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"
# A number, so that Kubernetes' runAsNonRoot can check it without a look into the image.
RUN groupadd --gid 65532 sluicegate \
    && useradd --uid 65532 --gid 65532 --no-create-home --home-dir /var/lib/sluicegate --shell /usr/sbin/nologin sluicegate \
    && install -d -o 65532 -g 65532 -m 0700 /var/lib/sluicegate
COPY --from=build /opt/sluicegate /opt/sluicegate
ENV PATH=/opt/sluicegate/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    SLUICEGATE_HOME=/var/lib/sluicegate
USER 65532:65532
# The one place that is written to. It is also the working folder: temporary files go there when /tmp is read-only.
WORKDIR /var/lib/sluicegate
VOLUME /var/lib/sluicegate
ENTRYPOINT ["sluicegate"]
CMD ["run", "--config", "/etc/sluicegate/gate.yaml"]
