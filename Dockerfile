# One static file, as a user without rights, on an image with nothing else: the program
# has certificates and time zones of its own. It is built before, so that nothing is
# fetched here: by `make build`, or in an unpacked release it is there.
#
#   docker build -t wechat-broadcast .
#   docker run --env-file .env -e MESSAGES_FILE=messages/messages.yaml -v ./messages:/home/nonroot/messages:ro \
#       -v broadcast:/home/nonroot/data -p 8080:8080 wechat-broadcast

FROM scratch
COPY bin/wechat-broadcast /usr/local/bin/wechat-broadcast
# SQLite's file goes to data/ below the working folder, which belongs to the user.
COPY --chown=65532:65532 deploy/image/data /home/nonroot/data
COPY --chown=65532:65532 deploy/image/data /tmp
WORKDIR /home/nonroot
USER 65532:65532
ENV LISTEN_ADDR=:8080
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["/usr/local/bin/wechat-broadcast", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/wechat-broadcast"]
CMD ["serve"]
