# The same image as `make images` builds, for those who have a container engine:
#   docker build -t localhost/tidemill:dev .
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/target \
    CARGO_TARGET_DIR=/target cargo build --locked --release \
      -p tidemill-operator -p tidemill-worker -p tidemill-store \
 && mkdir /out \
 && cp /target/*-linux-gnu/release/tidemill-operator /target/*-linux-gnu/release/tidemill-worker \
       /target/*-linux-gnu/release/tidemill-store /out/ \
 && strip /out/*

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/ /
USER 65532:65532
