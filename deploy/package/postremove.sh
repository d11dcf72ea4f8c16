#!/bin/sh
# After the files are gone. dpkg gives "remove", "purge" and others, rpm how many versions
# stay. Settings, data and the user stay, until dpkg purges them.
set -e
name=wechat-broadcast
case "$1" in
purge)
    rm -rf /etc/$name /var/lib/$name
    if getent passwd $name >/dev/null; then userdel $name || true; fi
    if getent group $name >/dev/null; then groupdel $name || true; fi
    ;;
esac
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload || true
fi
