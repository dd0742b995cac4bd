FROM debian:bookworm-slim AS build
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      ca-certificates cmake gcc libc6-dev libcurl4-openssl-dev libedit-dev libidn2-dev \
      libjansson-dev liblua5.4-dev libmd4c-dev libmicrohttpd-dev libsqlite3-dev libssl-dev libuv1-dev \
      lua-cjson-dev ninja-build pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY CMakeLists.txt ./
COPY core core
COPY scripts scripts
COPY templates templates
COPY docs/paraph.1 docs/paraph.bash docs/
RUN cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DTESTS=OFF \
      -DCMAKE_INSTALL_PREFIX=/usr/local \
    && cmake --build build --target paraph \
    && DESTDIR=/out cmake --install build --strip

FROM debian:bookworm-slim
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      ca-certificates libcurl4 libedit2 libidn2-0 libjansson4 liblua5.4-0 libmd4c0 libmicrohttpd12 \
      libsqlite3-0 libssl3 libuv1 lua-cjson \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home paraph \
    && install -d -o paraph -g paraph /data
COPY --from=build /out/usr/local /usr/local
# HOST and AUTH have no value here on purpose: on Cloud Run the service listens on all addresses and
# wants to be told who may call; anywhere else, say HOST=0.0.0.0 and AUTH=….
ENV DATA_DIR=/data
USER paraph
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["paraph"]
CMD ["serve"]
