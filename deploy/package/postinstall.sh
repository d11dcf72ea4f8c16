#!/bin/sh
# After the files are there. dpkg gives "configure" and the version before, which is empty
# at the first time; rpm gives how many versions are installed now.
set -e
name=wechat-broadcast

case "$1" in
configure) if [ -n "$2" ]; then upgrade=yes; else upgrade=; fi ;;
1) upgrade= ;;
[2-9]*) upgrade=yes ;;
*) exit 0 ;; # dpkg takes an upgrade back that failed
esac

getent group $name >/dev/null || groupadd --system $name
getent passwd $name >/dev/null || useradd --system --gid $name --no-create-home \
    --home-dir /var/lib/$name --shell /usr/sbin/nologin $name
# dpkg unpacked it before there was the group.
if [ -z "$upgrade" ]; then
    chown root:$name /etc/$name
    chmod 2750 /etc/$name
fi
# systemd makes it too, but commands run before the first start.
[ -d /var/lib/$name ] || install -d -m 0750 -o $name -g $name /var/lib/$name

if [ -d /run/systemd/system ]; then
    systemctl daemon-reload || true
    # Only if it runs. A start that fails must not leave the package half installed.
    [ -z "$upgrade" ] || systemctl try-restart $name.service || true
fi

if [ ! -e /etc/$name/config.yaml ]; then
    cat <<END
Write the settings, then start it / 写好设置，再启动：
  install -m 640 -g $name /usr/share/$name/config.example.yaml /etc/$name/config.yaml
  \${EDITOR:-vi} /etc/$name/config.yaml
  systemctl enable --now $name
END
fi
