# The exporter, its demo bot and the optimizer, and nothing else: no compiler, no pip; runs as an unprivileged user on
# a read-only file system.
#
# A release names the base image by digest: docs/releasing.md.
ARG PYTHON_IMAGE=python:3.13-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
COPY deploy/requirements.txt deploy/
# Byte code is compiled here: on a read-only file system it cannot be kept, and each start would compile again.
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes -r deploy/requirements.txt
COPY pyproject.toml README.md LICENSE docker-compose.yml ./
COPY deploy deploy
COPY grafana grafana
COPY rules rules
COPY exporter exporter
RUN /venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation . \
  && /venv/bin/pip uninstall -y hatchling packaging pathspec pluggy tomlkit trove-classifiers pip

FROM ${PYTHON_IMAGE}
COPY --from=build /venv /venv
# A new volume takes over the owner of the directory that it covers.
RUN install -d -o 65532 -g 65532 /bot /totals /ledger
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1
USER 65532:65532
EXPOSE 9464 9466
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["python", "-c", \
  "import urllib.request as r; r.urlopen('http://127.0.0.1:9464/-/healthy', timeout=3)"]
ENTRYPOINT ["tweetbot-exporter"]
# Which ports the container publishes, and where, is said when it is started.
CMD ["serve", "--config.file=/etc/tweetbot-exporter/config.yml", "--web.listen-address=:9464"]
