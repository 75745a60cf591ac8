"""Repositories of the Hugging Face hub, pinned by commit. Nothing of one is ever executed.

Files are kept in the hub's own cache (HF_HOME), where all studies share them. A file is whole there
or not at all, so a download that broke off goes on with the next file. The token, where one is
needed, comes from the environment (HF_TOKEN); HF_ENDPOINT names another server.
"""

import errno
import hashlib
import os
from contextlib import contextmanager
from pathlib import Path

from emaki.errors import UserError
from emaki.files import sha256

ALTERNATIVES = {
    "model": "or name another repository or a folder in the config",
    "dataset": "or give the source another value: {type: hub, repo: owner/name, revision: ...}, "
    "{type: folder, path: my/pictures} or {type: dicebear, style: critters, count: 720}",
}


def fetch(repo, revision, patterns, repo_type="model"):
    """Download the files of a repository that match `patterns`; check them; return their folder.

    `revision` is a commit hash. The hub's own client compares sizes only, so every file is compared
    with the digest in the commit: SHA-256 for large files, git's SHA-1 for others. A file that
    differs is removed. Raises UserError for what cannot be had, with what to do.
    """
    from huggingface_hub import HfApi, snapshot_download

    with telling(repo, revision, repo_type):
        folder = Path(
            snapshot_download(
                repo, repo_type=repo_type, revision=revision, allow_patterns=patterns, token=token()
            )
        )
        entries = HfApi(token=token()).list_repo_tree(
            repo, recursive=True, revision=revision, repo_type=repo_type
        )
        known = {entry.path: entry for entry in entries if hasattr(entry, "blob_id")}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        entry = known.get(path.relative_to(folder).as_posix())
        if entry is None:
            continue
        right = sha256(path) == entry.lfs.sha256 if entry.lfs else _git(path) == entry.blob_id
        if not right:
            path.resolve().unlink()
            path.unlink(missing_ok=True)
            raise UserError(
                f"{entry.path} of {repo} arrived with another checksum than the commit gives: "
                "it was removed; run again to download it anew"
            )
    return folder


def token():
    """The token of the environment, or False: never one that lies on the disk."""
    return os.environ.get("HF_TOKEN") or False


@contextmanager
def telling(repo, revision, repo_type="model"):
    """Turn what the hub's client raises into a UserError that says what to do."""
    import httpx2
    from huggingface_hub import errors

    alternatives = ALTERNATIVES[repo_type]
    offline = f"{repo} is to be read, but HF_HUB_OFFLINE is set: unset it, {alternatives}"
    try:
        yield
    except errors.GatedRepoError:
        raise UserError(
            f"{repo} is gated: accept its terms on its page, set HF_TOKEN to your token, "
            f"{alternatives}"
        ) from None
    except errors.RevisionNotFoundError:
        raise UserError(
            f"{repo} has no commit {revision}: look it up in its history, {alternatives}"
        ) from None
    except errors.RepositoryNotFoundError:
        raise UserError(
            f"{repo} is not on the hub, or is private: check the name, set HF_TOKEN if it is "
            f"private, {alternatives}"
        ) from None
    except errors.OfflineModeIsEnabled:
        raise UserError(offline) from None
    except errors.LocalEntryNotFoundError as error:
        if isinstance(error.__cause__, errors.OfflineModeIsEnabled):
            raise UserError(offline) from None
        status = getattr(getattr(error.__cause__, "response", None), "status_code", None)
        raise UserError(_unreachable(repo, status)) from None
    except errors.HfHubHTTPError as error:
        raise UserError(_unreachable(repo, error.response.status_code)) from None
    except httpx2.HTTPError as error:
        raise UserError(f"{_unreachable(repo, None)} ({error})") from None
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise UserError(
            f"no room on the disk for {repo}: make room, or set HF_HOME to another disk, and run "
            "again; files that are whole are kept"
        ) from None


def _unreachable(repo, status):
    if status in (401, 403):
        return f"the hub refuses {repo} (status {status}): set HF_TOKEN to a token that may read it"
    if status == 429:
        return f"the hub asks to wait before {repo} is read again (status 429): run again later"
    shown = f" (status {status})" if status else ""
    return f"the hub cannot be reached for {repo}{shown}: check the network and run again"


def _git(path):
    """The SHA-1 by which git knows a file."""
    data = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
