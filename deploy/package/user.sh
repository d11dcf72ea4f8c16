#!/bin/sh
# Makes the user that the program runs as.
set -e
name=wechat-broadcast
getent group $name >/dev/null || groupadd --system $name
getent passwd $name >/dev/null || useradd --system --gid $name --no-create-home \
    --home-dir /var/lib/$name --shell /usr/sbin/nologin $name
