# aside as an image:
#   docker build -t aside .
#   docker run -p 8080:8080 aside serve --listen 0.0.0.0:8080 --origin http://the-api:5000

FROM rust:1-slim-bookworm AS build
# The allocator is built with make.
RUN apt-get update && apt-get install --yes --no-install-recommends make && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# The caches are not part of the image, so the binary is copied out of them.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin aside && cp target/release/aside /aside

FROM debian:bookworm-slim
# For https origins and rediss:// the certificates, for the health check curl.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates curl \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --no-create-home --shell /usr/sbin/nologin aside
COPY --from=build /aside /usr/local/bin/aside
USER aside
EXPOSE 8080
# Any answer will do, a 502 as well: an origin that is down does not make the proxy sick.
HEALTHCHECK --interval=5s --timeout=3s --start-period=5s --retries=5 \
    CMD ["curl", "--silent", "--output", "/dev/null", "http://127.0.0.1:8080/healthz"]
ENTRYPOINT ["aside"]
CMD ["--help"]
