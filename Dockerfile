# The exporter, its demo bot and the optimizer, and nothing else: no compiler, no pip; runs as an unprivileged user on
# a read-only file system.
FROM python:3.13-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE docker-compose.yml ./
COPY deploy deploy
COPY grafana grafana
COPY rules rules
COPY exporter exporter
# The versions that were tested together; byte code is compiled here, as it cannot be on a read-only file system.
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --constraint deploy/constraints.txt . && /venv/bin/pip uninstall -y pip

FROM python:3.13-slim-bookworm
COPY --from=build /venv /venv
# A new volume takes over the owner of the directory that it covers.
RUN install -d -o 65532 -g 65532 /bot /totals /ledger
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1
USER 65532:65532
EXPOSE 9464 9466
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["python", "-c", \
  "import urllib.request as r; r.urlopen('http://127.0.0.1:9464/-/healthy', timeout=3)"]
ENTRYPOINT ["tweetbot-exporter"]
CMD ["serve", "--config.file=/etc/tweetbot-exporter/config.yml"]
