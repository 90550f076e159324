# All images of the system:
#
#   docker build -t e-commerce-saga-base .                            all five services; UVICORN_APP says which one runs
#   docker build -t e-commerce-saga/order-service:latest --build-arg SERVICE_DIR=order .
#   docker build -t e-commerce-saga/operator:latest --target operator .    with `ordersaga audit`
#   docker build -t e-commerce-saga/tools:latest --target tools .     the demonstration, docker-compose's setup
#
# It needs neither BuildKit nor a particular engine. Every layer up to the source code is shared by all images.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm


FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /build

# What the lock names, checked against its hashes; wheels only, so that nothing is compiled and no compiler is needed.
COPY requirements.lock ./
RUN python -m pip download --quiet --require-hashes --only-binary :all: --dest /wheels --requirement requirements.lock

# What services and operator need of it, what the tools need more, and what builds our own package: from those checked
# wheels alone. kubernetes/aio is a second copy of that package for asyncio, which nothing here imports: most of 70 MB.
COPY pyproject.toml ./
RUN python -c "import tomllib; t = tomllib.load(open('pyproject.toml', 'rb')); p = t['project']; \
o = p['optional-dependencies']; b = t['build-system']['requires']; \
write = lambda name, lines: open(name, 'w').write('\n'.join(lines)); \
write('runtime.txt', p['dependencies'] + o['services'] + o['operator']); \
write('tools.txt', [r for r in o['stack'] if r not in b]); write('backend.txt', b)" \
    && python -m venv --without-pip /opt/venv \
    && python -m pip --python /opt/venv/bin/python install --quiet --no-compile --no-index --find-links /wheels \
        --requirement runtime.txt \
    && rm -rf /opt/venv/lib/python*/site-packages/kubernetes/aio \
    && python -m pip install --quiet --no-compile --no-index --find-links /wheels --target /opt/tools \
        --requirement tools.txt \
    && python -m pip install --quiet --no-index --find-links /wheels --requirement backend.txt

# Byte code for a read-only root, of a form that needs no look at the source. The API classes of the kubernetes package
# are left out: they are loaded when used, and aren't.
RUN python -m compileall -q --invalidation-mode unchecked-hash -x 'kubernetes/client/(api|models)/' /opt/venv/lib /opt/tools

COPY . ./
RUN python -m pip wheel --quiet --no-deps --no-index --no-build-isolation --wheel-dir /dist . \
    && python -m pip install --quiet --no-compile --no-deps --no-index --target /app /dist/ordersaga-*.whl \
    && cp -r dev /app/dev \
    && python -m compileall -q --invalidation-mode unchecked-hash /app


FROM ${PYTHON_IMAGE} AS runtime
# Nothing installs packages here any more.
RUN find /usr \( -name pip -o -name 'pip-*' -o -name 'pip3*' -o -name setuptools -o -name 'setuptools-*' \
        -o -name pkg_resources -o -name _distutils_hack -o -name wheel -o -name 'wheel-*' -o -name ensurepip \
        -o -name python-wheels \) -prune -exec rm -rf {} +
# TMPDIR: the one place that is writable with a read-only root, in memory; keys of a kubeconfig pass through it.
# LOGNAME: kopf asks for the user's name, and neither 10001 nor a user that OpenShift makes up has one.
# MALLOC_ARENA_MAX: glibc would keep eight heaps per core for threads that hardly allocate.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    LOGNAME=ordersaga \
    MALLOC_ARENA_MAX=2 \
    TMPDIR=/dev/shm
COPY --from=build /opt/venv /opt/venv
COPY images/probe.py /app/probe.py
COPY --from=build /app/common /app/common
COPY --from=build /app/ordersaga-*.dist-info /app/ordersaga.dist-info
WORKDIR /app
# A number, so that Kubernetes can see that it isn't root; group 0, as OpenShift gives to the user that it makes up.
USER 10001:0
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="OrderSaga" \
      org.opencontainers.image.description="Order sagas as Kubernetes resources" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"


FROM runtime AS operator
COPY --from=build /app/saga_operator /app/saga_operator
# The chart's nightly audit: a third of a megabyte, and no image of its own.
COPY --from=build /app/ordersaga /app/ordersaga
ENV ORDERSAGA_HEALTH_HOST=:: \
    ORDERSAGA_HEALTH_PORT=8080
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=3s --start-period=30s \
    CMD ["python", "-IS", "/app/probe.py", "ORDERSAGA_HEALTH_PORT", "/healthz"]
LABEL org.opencontainers.image.title="OrderSaga operator"
CMD ["python", "-m", "saga_operator"]


FROM runtime AS tools
COPY --from=build /opt/tools /opt/tools
COPY --from=build /app/saga_operator /app/saga_operator
COPY --from=build /app/ordersaga /app/ordersaga
COPY --from=build /app/dev /app/dev
COPY crds /app/crds
COPY manifests/rbac /app/manifests/rbac
ENV PYTHONPATH=/app:/opt/tools
USER 0
# A volume that is first mounted here gets this owner, so that no container has to be root to write to it.
RUN mkdir -p /state/authority /state/control-plane /state/etcd /state/operator /state/order-service \
        /state/inventory-service /state/payment-service /state/shipping-service /state/notification-service \
        /state/staff /state/audit /state/page \
    && chown -R 10001:0 /state && chmod 750 /state/*
USER 10001:0
LABEL org.opencontainers.image.title="OrderSaga tools"
CMD ["python", "-m", "ordersaga", "--help"]


FROM runtime AS service
# order, inventory, payment, shipping or notification; empty: all of them, and UVICORN_APP has to be given.
ARG SERVICE_DIR=
COPY --from=build /app/services/__init__.py /app/services/
COPY --from=build /app/services/${SERVICE_DIR} /app/services/${SERVICE_DIR}
# Keep-alive: longer than any client keeps an idle connection (nginx 60 s, the operator 30 s), so that it is never the
# server that closes one just when it is used again. Graceful: no answer takes longer than the callers' 5 s.
ENV UVICORN_APP=${SERVICE_DIR:+services.$SERVICE_DIR.main:app} \
    UVICORN_HOST=:: \
    UVICORN_PORT=8000 \
    UVICORN_LOOP=uvloop \
    UVICORN_ACCESS_LOG=false \
    UVICORN_SERVER_HEADER=false \
    UVICORN_TIMEOUT_KEEP_ALIVE=75 \
    UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN=10
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=3s --start-period=30s \
    CMD ["python", "-IS", "/app/probe.py", "UVICORN_PORT", "/health"]
LABEL org.opencontainers.image.title="OrderSaga ${SERVICE_DIR} service"
CMD ["uvicorn"]
