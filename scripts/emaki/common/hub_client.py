"""Repositories of the Hugging Face hub, pinned by commit. Nothing of one is ever executed.

Files are kept in the hub's own cache (HF_HOME), where all studies share them. A file is whole there
or not at all, so a download that broke off goes on with the next file. The token, where one is
needed, comes from the environment (HF_TOKEN); HF_ENDPOINT names another server.
"""

import errno
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal

from emaki.common.errors import UserError

ALTERNATIVES = {
    "model": "or name another repository or a folder in the config",
    "dataset": "or give the source another value: {type: hub, repo: owner/name, revision: ...}, "
    "{type: folder, path: my/pictures} or {type: dicebear, style: critters, count: 720}",
}


def fetch(repo: str, revision: str, patterns: list[str], repo_type: str = "model") -> Path:
    """Download the files of a repository that match `patterns`; check them; return their folder.

    `revision` is a commit hash. The hub's own client compares sizes only, so every file is compared
    with the digest in the commit: SHA-256 for large files, git's SHA-1 for others. A file that
    differs is removed. Raises UserError for what cannot be had, with what to do.
    """
    from huggingface_hub import HfApi, RepoFile, snapshot_download

    with explain_hub_errors(repo, revision, repo_type):
        folder = Path(
            snapshot_download(
                repo,
                repo_type=repo_type,
                revision=revision,
                allow_patterns=patterns,
                token=read_token(),
            )
        )
        entries = HfApi(token=read_token()).list_repo_tree(
            repo, recursive=True, revision=revision, repo_type=repo_type
        )
        known = {entry.path: entry for entry in entries if isinstance(entry, RepoFile)}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        entry = known.get(path.relative_to(folder).as_posix())
        if entry is None:
            continue
        with open(path, "rb") as file:
            right = _is_right(file, entry.lfs, entry.blob_id)
        if not right:
            path.resolve().unlink()
            path.unlink(missing_ok=True)
            raise _damaged(entry.path, repo)
    return folder


def list_files(repo: str, revision: str) -> list[str]:
    """The paths of all files of a model's commit, sorted. Raises UserError as `fetch` does."""
    from huggingface_hub import HfApi, RepoFile

    with explain_hub_errors(repo, revision):
        entries = HfApi(token=read_token()).list_repo_tree(repo, recursive=True, revision=revision)
        return sorted(entry.path for entry in entries if isinstance(entry, RepoFile))


def check_access(repo: str, revision: str, repo_type: str = "model") -> None:
    """Raise UserError, with what to do, where the hub does not give the files of a commit.

    Asked of what is not there yet; nothing is brought.
    """
    from huggingface_hub import HfApi, RepoFile, get_hf_file_metadata, hf_hub_url

    if find_local(repo, revision, repo_type) is not None:
        return
    token = read_token()
    with explain_hub_errors(repo, revision, repo_type):
        entries = HfApi(token=token).list_repo_tree(
            repo, recursive=True, revision=revision, repo_type=repo_type
        )
        file = next((entry.path for entry in entries if isinstance(entry, RepoFile)), None)
        if file is None:
            raise UserError(f"{repo} has no files at {revision}")
        # A gate is told with a file, not with the list of files.
        url = hf_hub_url(repo, file, repo_type=repo_type, revision=revision)
        get_hf_file_metadata(url, token=token)


def find_local(repo: str, revision: str, repo_type: str = "model") -> Path | None:
    """The folder with what is there already of a commit, which may be a part; None: nothing."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    # snapshot_download finds a part only where it is told which.
    name = repo_folder_name(repo_id=repo, repo_type=repo_type)
    folder = Path(constants.HF_HUB_CACHE, name, "snapshots", revision)
    return folder if folder.is_dir() else None


def download_file(url: str) -> BinaryIO:
    """A file of a dataset, hf://datasets/{repo}@{commit}/{path}, open for reading and checked.

    It is brought into a temporary file without a name, so that it is gone once it is closed,
    however the process ends. Raises UserError for what cannot be had, with what to do.
    """
    repo, _, path = _parts(url)
    file = tempfile.TemporaryFile()  # noqa: SIM115 - who asked for it closes it
    with _files(url) as files:
        known = files.info(url)
        files.get_file(url, outfile=file)
    if not _is_right(file, known["lfs"], known["blob_id"]):
        raise _damaged(path, repo)
    return file


def open_remote_file(url: str) -> BinaryIO:
    """A file as of `download_file`, of which only what is read is brought. It is not checked.

    What is read later may raise what huggingface_hub does.
    """
    with _files(url) as files:
        return files.open(url)


def read_card(repo: str, revision: str) -> dict[str, Any]:
    """What the card of a dataset says, a mapping; {} if it has none."""
    from huggingface_hub import DatasetCard, errors, hf_hub_download

    try:
        with explain_hub_errors(repo, revision, "dataset"):
            page = hf_hub_download(
                repo, "README.md", repo_type="dataset", revision=revision, token=read_token()
            )
    except errors.RemoteEntryNotFoundError:
        return {}
    return DatasetCard.load(page).data.to_dict()


@contextmanager
def _files(url):
    """The hub's files of a dataset; what is wrong with `url` becomes a UserError."""
    from huggingface_hub import HfFileSystem

    repo, revision, path = _parts(url)
    with explain_hub_errors(repo, revision, "dataset"):
        try:
            yield HfFileSystem(token=read_token())
        except FileNotFoundError as error:
            if error.__cause__:
                raise error.__cause__ from None
            raise UserError(
                f"{repo} has no file {path} at {revision}: look it up among its files"
            ) from None


def _parts(url):
    """(repository, commit, path) of hf://datasets/{repo}@{commit}/{path}."""
    repo, _, rest = url.removeprefix("hf://datasets/").partition("@")
    revision, _, path = rest.partition("/")
    return repo, revision, path


def _damaged(path, repo):
    return UserError(
        f"{path} of {repo} arrived with another checksum than the commit gives: "
        "it was removed; run again to download it anew"
    )


def read_token() -> str | Literal[False]:
    """The token of the environment, or False: never one that lies on the disk."""
    return os.environ.get("HF_TOKEN") or False


@contextmanager
def explain_hub_errors(repo: str, revision: str, repo_type: str = "model") -> Iterator[None]:
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
    except errors.RemoteEntryNotFoundError:
        raise  # for who asked to say what the file was for
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


def _is_right(file, lfs, blob):
    """Whether an open file is what a commit says, by its entry of large files or its blob's id."""
    file.seek(0)
    if lfs:
        return hashlib.file_digest(file, "sha256").hexdigest() == lfs["sha256"]
    return _git(file.read()) == blob


def _git(data):
    """The SHA-1 by which git knows a file's bytes."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
