#!/bin/sh
# Legacy Amazon Linux, ECS-optimized: upstart, and no package for it. Yours to replace: EXAMPLE-BUCKET, EXAMPLE-CLUSTER,
# the version, and the settings.
set -eu

# The job `ecs` starts when the boot is over. Out of the way it does not, so that a host on which anything below fails
# takes no tasks, nor after the next boot. This upstart knows no override files.
job=/etc/init/ecs.conf
stop ecs || true
if [ -e "$job" ]; then mv "$job" "$job.held"; fi
initctl reload-configuration

name=ecs-netsetup-0.1.0-linux-x86_64
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
curl --fail --silent --show-error --output "$folder/$name.tar.gz" "https://EXAMPLE-BUCKET.s3.amazonaws.com/$name.tar.gz"
tar -xzf "$folder/$name.tar.gz" -C "$folder"
"$folder/$name/install.sh"

# Bare KEY=value, without quotes, which ecs-init does not take. Before apply, which adds its keys to these.
echo ECS_CLUSTER=EXAMPLE-CLUSTER > /etc/ecs/ecs.config

ecs-netsetup apply --mode bridge --bridge-interface docker+,br-+

mv "$job.held" "$job"
initctl reload-configuration
start ecs
