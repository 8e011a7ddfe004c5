# perphedge beside a bot, in paper mode unless another config is mounted.
FROM python:3.11-slim-bookworm AS build
WORKDIR /build
RUN python -m venv /venv
# The lock first, so that a change of the code does not install everything again.
COPY requirements.lock ./
RUN /venv/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY bot bot
COPY risk risk
COPY strategies strategies
COPY config config
RUN /venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.11-slim-bookworm
# Relative paths of the config count from its folder, /sidecar: the journal goes to
# /sidecar/state, a volume, and market data to a volume in it that may be thrown away. Positions
# come in a mounted folder, because a file that is mounted alone would keep its first version when
# the bot replaces it.
RUN useradd --uid 10001 --create-home perphedge \
    && install -d -o perphedge -g perphedge /sidecar /sidecar/positions \
    && install -d -m 700 -o perphedge -g perphedge /sidecar/state /sidecar/state/paper \
        /sidecar/state/paper/cache \
    && ln -s positions/positions.json /sidecar/positions.json
COPY --from=build /venv /venv
COPY config/profiles/paper.yaml /sidecar/config.yaml
# By number, so that whoever forbids root can tell that this is not root.
USER 10001:10001
WORKDIR /sidecar
VOLUME /sidecar/state
# Libraries keep small files in the home folder, and the root file system may be read-only.
ENV PATH=/venv/bin:$PATH HOME=/tmp
HEALTHCHECK --interval=60s --timeout=30s --start-period=10m --retries=3 \
    CMD ["perphedge", "status", "-c", "/sidecar/config.yaml", "--fresh", "600"]
# Ctrl-C and SIGTERM end it between two cycles.
STOPSIGNAL SIGTERM
ENTRYPOINT ["perphedge"]
CMD ["run", "-c", "/sidecar/config.yaml"]
