# aside as an image:
#   docker build -t aside .
#   docker run -p 8080:8080 aside serve --listen 0.0.0.0:8080 --origin http://the-api:5000

FROM rust:1.95.0-slim-bookworm AS build
# The allocator is built with make.
RUN apt-get update && apt-get install --yes --no-install-recommends make && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# The caches are not part of the image, so the binary is copied out of them.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin aside && cp target/release/aside /aside

FROM debian:12.11-slim
LABEL org.opencontainers.image.title="aside" \
    org.opencontainers.image.description="A transparent caching reverse proxy that is never stale after a write" \
    org.opencontainers.image.licenses="MIT"
# For https origins and rediss:// the certificates; the folder is the admin socket's.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --no-create-home --shell /usr/sbin/nologin aside \
    && install --directory --owner=aside --group=aside --mode=0700 /run/aside
COPY --from=build /aside /usr/local/bin/aside
USER aside
EXPOSE 8080
# Ready is who serves clients: an API or a Redis that is down does not make the proxy sick. For another port than 8080 name
# its socket, as compose.yaml does.
HEALTHCHECK --interval=5s --timeout=3s --start-period=5s --retries=5 \
    CMD ["aside", "status", "--ready", "--admin", "unix:/run/aside/aside-8080.sock"]
ENTRYPOINT ["aside"]
CMD ["--help"]
