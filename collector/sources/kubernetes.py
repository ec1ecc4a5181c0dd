"""What the paths of container logs tell about the container."""

import re
from pathlib import PurePath

_POD = re.compile(r"/([^/_]+)_([^/_]+)_([^/_]+)/([^/]+)/(\d+)\.log[^/]*$")
_CONTAINER = re.compile(r"([^/_]+)_([^/_]+)_([^/]+)-[0-9a-f]{64}\.log$")


def attributes(path: str, real_path: str) -> dict[str, str]:
    """OpenTelemetry resource attributes from either of

    `/var/log/pods/<namespace>_<pod>_<uid>/<container>/<restarts>.log` and
    `/var/log/containers/<pod>_<namespace>_<container>-<id>.log`, a link to the former.
    """
    for candidate in (path, real_path):
        if match := _POD.search(candidate):
            namespace, pod, uid, container, restarts = match.groups()
            return {
                "k8s.namespace.name": namespace,
                "k8s.pod.name": pod,
                "k8s.pod.uid": uid,
                "k8s.container.name": container,
                "k8s.container.restart_count": restarts,
            }
    if match := _CONTAINER.fullmatch(PurePath(path).name):
        pod, namespace, container = match.groups()
        return {"k8s.namespace.name": namespace, "k8s.pod.name": pod, "k8s.container.name": container}
    return {}
