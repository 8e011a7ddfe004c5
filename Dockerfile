# perphedge beside a bot, paper mode unless the config says otherwise.
FROM python:3.11-slim AS build
WORKDIR /app
COPY pyproject.toml requirements.lock README.md LICENSE ./
COPY bot bot
COPY risk risk
COPY strategies strategies
COPY config config
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements.lock \
    && /venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.11-slim
RUN useradd --uid 10001 --create-home perphedge \
    && install -d -o perphedge -g perphedge /state /data
COPY --from=build /venv /venv
USER perphedge
WORKDIR /home/perphedge
ENTRYPOINT ["/venv/bin/perphedge"]
CMD ["run", "-c", "/etc/perphedge/config.yaml"]
