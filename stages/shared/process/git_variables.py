"""Git's variables for hooks, aliases and `rebase -x`: with them set, git uses one repository in every folder."""

import os

# As listed by `git rev-parse --local-env-vars`, old versions included.
LOCAL = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
)


def unset_git_variables() -> None:
    """Unset them, so that git and DVC use the repository of the folder that they run in."""
    for name in LOCAL:
        os.environ.pop(name, None)
