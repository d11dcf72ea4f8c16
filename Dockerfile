# syntax=docker/dockerfile:1
# One static binary, as a user without rights, on an image with nothing else
# but certificates and time zones.
#
#   docker build -t wechat-broadcast .
#   docker run --env-file .env -e MESSAGES_FILE=messages/messages.yaml -v ./messages:/home/nonroot/messages:ro \
#       -v broadcast:/home/nonroot/data -p 8080:8080 wechat-broadcast

FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=development
ARG COMMIT=unknown
RUN CGO_ENABLED=0 go build -tags nomsgpack -trimpath -ldflags "-s -w -X main.version=$VERSION -X main.commit=$COMMIT" \
        -o /out/wechat-broadcast . && \
    mkdir -p /out/data

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/wechat-broadcast /usr/local/bin/wechat-broadcast
# SQLite's file goes to data/ below the working folder, which belongs to the user.
COPY --from=build --chown=nonroot:nonroot /out/data /home/nonroot/data
WORKDIR /home/nonroot
USER nonroot:nonroot
ENV LISTEN_ADDR=:8080
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["/usr/local/bin/wechat-broadcast", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/wechat-broadcast"]
CMD ["serve"]
