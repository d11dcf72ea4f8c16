#!/bin/sh
# Before the files go. dpkg gives "remove" or "upgrade", rpm how many versions stay. An
# upgrade goes on running until the new version is there.
set -e
name=wechat-broadcast
case "$1" in
remove | 0) ;;
*) exit 0 ;;
esac
if [ -d /run/systemd/system ]; then
    systemctl disable --now $name.service || true
else
    rm -f /etc/systemd/system/multi-user.target.wants/$name.service
fi
