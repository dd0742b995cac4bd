# The image: nothing but the service and what it needs at run time (docs/image.md says what that is).
FROM debian:bookworm-slim AS build
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      ca-certificates cmake gcc libc6-dev libcurl4-openssl-dev libedit-dev libidn2-dev \
      libjansson-dev liblua5.4-dev libmd4c-dev libmicrohttpd-dev libsqlite3-dev libssl-dev libuv1-dev \
      lua-cjson-dev ninja-build pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
# What takes longest and changes least comes first.
COPY CMakeLists.txt ./
COPY core core
RUN cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DTESTS=OFF \
      -DCMAKE_INSTALL_PREFIX=/usr \
    && cmake --build build --target paraph
COPY LICENSE ./
COPY deploy/assemble deploy/
COPY scripts scripts
COPY templates templates
RUN DESTDIR=/image cmake --install build --strip --component service \
    && deploy/assemble /image && mkdir /data

FROM scratch
LABEL org.opencontainers.image.title="paraph" \
      org.opencontainers.image.description="Mail gateway: drafts, review and sending over HTTP" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="MIT"
COPY --from=build /image /
COPY --from=build --chown=10001:10001 /data /data
# HOST and AUTH have no value here on purpose: on Cloud Run the service listens on all addresses and
# wants to be told who may call; anywhere else, say HOST=0.0.0.0 and AUTH=….
ENV PATH=/usr/bin DATA_DIR=/data
# A number, so that an orchestrator can see that it is not root.
USER 10001:10001
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/paraph"]
CMD ["serve"]
