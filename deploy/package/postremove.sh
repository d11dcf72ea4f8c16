#!/bin/sh
# After the files are gone. dpkg gives "remove", "purge" and others, rpm how many versions
# stay. dpkg's purge deletes the settings. The data stay in any case: who has opted out and
# who has received what can't be had again. Their owner stays with them.
set -e
name=wechat-broadcast
if [ "$1" = purge ]; then
    rm -rf /etc/$name
    [ ! -d /var/lib/$name ] || find /var/lib/$name -depth -type d -empty -delete
    if [ -d /var/lib/$name ]; then
        cat <<END
/var/lib/$name stays: it holds who has opted out and who has received what. Once nobody needs that:
/var/lib/$name 予以保留：里面有谁退订了、谁收到了什么。确定不再需要时：
  rm -rf /var/lib/$name && userdel $name
END
    else
        if getent passwd $name >/dev/null; then userdel $name || true; fi
        if getent group $name >/dev/null; then groupdel $name || true; fi
    fi
fi
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload || true
fi
