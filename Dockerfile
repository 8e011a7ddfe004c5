# perphedge beside a bot, in paper mode unless another config is mounted.
FROM python:3.11-slim AS build
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

FROM python:3.11-slim
# Relative paths of the config count from its folder, /sidecar: the journal goes to
# /sidecar/state, a volume. Positions come in a mounted folder, because a file that is mounted
# alone would keep its first version when the bot replaces it.
RUN useradd --uid 10001 --create-home perphedge \
    && install -d -o perphedge -g perphedge /sidecar /sidecar/state /sidecar/positions \
    && ln -s positions/positions.json /sidecar/positions.json
COPY --from=build /venv /venv
COPY config/profiles/paper.yaml /sidecar/config.yaml
USER perphedge
WORKDIR /sidecar
VOLUME /sidecar/state
ENV PATH=/venv/bin:$PATH
# Ctrl-C and SIGTERM end it between two cycles.
STOPSIGNAL SIGTERM
ENTRYPOINT ["perphedge"]
CMD ["run", "-c", "/sidecar/config.yaml"]
