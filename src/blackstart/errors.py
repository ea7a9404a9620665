"""Every error that Blackstart raises on purpose.

    BlackstartError
    ├── ConfigInvalid      a file or value that people wrote cannot be used; exit code 2, nothing changed
    ├── Refused            a guard said no, or could not answer; nothing changed
    ├── TargetChanged      a target is no longer as it was when the change was planned; it was left alone
    ├── NotYet             something is on its way but not there; asking again soon may find it
    ├── ApplyFailed        a change went wrong half way; what was applied has been put back, or is named
    ├── UndoIncomplete     something could not be put back; names what, and the command that tries again
    ├── UndoLogUnusable    the undo log cannot be read or written; so nothing may be changed
    │   └── UndoLogGone    it was there, and has been deleted
    ├── DrillStopped       somebody, or a stop condition, ended the drill; what it had in place is being put back
    ├── ServiceUnreachable an API or endpoint that was needed did not answer
    ├── NotMeasured        a number was asked for that the samples do not support
    ├── JournalUnreadable  a journal folder does not hold what it should
    ├── JournalUnwritable  a line of a journal could not be put on disk
    ├── LabError           the embedded lab could not do what was asked
    │   └── MissingPart    a program or package that the lab stands on is not installed
    ├── NotTold            one whom [publish] names was not told of a drill; the drill is not affected
    ├── CannotServe        the web view could not begin: a package, the folder or the address is missing
    └── ApiError           the lab's Kubernetes API refuses a request; in lab.kube.status, seen by its clients only

Each message is one sentence: what was wanted, what was seen, what was done about it, what you can do.
"""

from __future__ import annotations

from dataclasses import dataclass


class BlackstartError(Exception):
    """Root of all errors raised on purpose; ``str(error)`` is a sentence for people."""


@dataclass
class ConfigInvalid(BlackstartError):
    """A file or value that people wrote cannot be used.

    ``path`` names the file (or the environment variable), ``where`` the key inside it ("" for the whole file).
    """

    path: str
    where: str
    problem: str

    def __str__(self) -> str:
        place = f"{self.path}: {self.where}" if self.where else self.path
        return f"{place}: {self.problem}"


@dataclass
class Refused(BlackstartError):
    """A guard said no, or could not answer. ``subject`` completes "not …": ``failing zone us-east-1a``."""

    subject: str
    reason: str

    def __str__(self) -> str:
        return f"not {self.subject}: {self.reason}"


@dataclass
class TargetChanged(BlackstartError):
    """Between plan and apply somebody else changed ``target`` (or it went away); it was left as ``seen``."""

    target: str
    seen: str

    def __str__(self) -> str:
        return f"{self.target} is not as planned any more ({self.seen}), so it was left alone; plan again"


@dataclass
class NotYet(BlackstartError):
    """``what`` is ``still`` in a state in which it cannot be changed; nothing was changed; asking again may help.

    ``patience_seconds``: for how long that is worth trying, if it is longer than for other errors that may pass.
    ``begun``: it was changed, and what is waited for is that the change is in force.
    """

    what: str
    still: str
    patience_seconds: float = 0.0
    begun: bool = False

    def __str__(self) -> str:
        left = "" if self.begun else ", so it was left alone"
        return f"{self.what} is still {self.still}{left}; try again later"


@dataclass
class ApplyFailed(BlackstartError):
    """One change of a fault failed; the ones applied before it were undone.

    ``undone`` and ``remaining`` are change ids; ``remaining`` is empty when everything was put back.
    """

    subject: str
    problem: str
    undone: tuple[str, ...] = ()
    remaining: tuple[str, ...] = ()

    def __str__(self) -> str:
        done = f"{len(self.undone)} applied changes were undone"
        if self.remaining:
            left = ", ".join(self.remaining)
            return f"{self.subject} failed: {self.problem}; {done}, not undone: {left}; run `blackstart recover`"
        return f"{self.subject} failed: {self.problem}; {done}, nothing is left"


@dataclass
class UndoIncomplete(BlackstartError):
    """Changes that are still in place after an undo. ``remaining`` maps change id to the reason."""

    drill: str
    remaining: dict[str, str]

    def __str__(self) -> str:
        left = "; ".join(f"{change}: {reason}" for change, reason in self.remaining.items())
        return f"drill {self.drill} is not fully undone ({left}); run `blackstart recover {self.drill}` to try again"


@dataclass
class UndoLogUnusable(BlackstartError):
    """The undo log at ``url`` cannot be read or written."""

    url: str
    problem: str

    def __str__(self) -> str:
        return f"the undo log {self.url} cannot be used ({self.problem}), so nothing was changed"


class UndoLogGone(UndoLogUnusable):
    """The undo log was deleted while it was in use; asking again will not bring it back."""


@dataclass
class DrillStopped(BlackstartError):
    """``drill`` was told to stop while it was changing something. ``reason``: who or what stopped it, and why."""

    drill: str
    reason: str

    def __str__(self) -> str:
        return f"drill {self.drill} was stopped ({self.reason}), so everything it changed is being put back"


@dataclass
class ServiceUnreachable(BlackstartError):
    """``wanted`` (a verb phrase) needed ``endpoint``, which did not answer as it should."""

    wanted: str
    endpoint: str
    problem: str

    def __str__(self) -> str:
        return f"could not {self.wanted}: {self.endpoint} {self.problem}"


@dataclass
class NotMeasured(BlackstartError):
    """The number ``what`` cannot be given, because ``why``."""

    what: str
    why: str

    def __str__(self) -> str:
        return f"{self.what} was not measured: {self.why}"


@dataclass
class JournalUnreadable(BlackstartError):
    """The journal at ``folder`` lacks or garbles ``file``."""

    folder: str
    file: str
    problem: str

    def __str__(self) -> str:
        return f"journal {self.folder}: {self.file}: {self.problem}"


@dataclass
class JournalUnwritable(BlackstartError):
    """``file`` of the journal at ``folder`` could not be written."""

    folder: str
    file: str
    problem: str

    def __str__(self) -> str:
        return (
            f"journal {self.folder}: {self.file} could not be written ({self.problem}); free some space and run again"
        )


@dataclass
class LabError(BlackstartError):
    """The lab wanted to do ``wanted``, saw ``problem``; ``advice`` says what you can do."""

    wanted: str
    problem: str
    advice: str = ""

    def __str__(self) -> str:
        return f"could not {self.wanted}: {self.problem}" + (f"; {self.advice}" if self.advice else "")


class MissingPart(LabError):
    """A program or package that the lab stands on is not installed."""


@dataclass
class NotPrinted(BlackstartError):
    """The report could not be written to ``target`` in the format that was asked for."""

    target: str
    problem: str
    advice: str

    def __str__(self) -> str:
        return f"could not write {self.target}: {self.problem}; {self.advice}"


@dataclass
class NotTold(BlackstartError):
    """``to``, one whom ``[publish]`` names, was not told of a drill; the drill itself is not affected."""

    to: str
    problem: str

    def __str__(self) -> str:
        return f"{self.to} was not told of the drill: {self.problem}; `blackstart publish FOLDER` tries again"


@dataclass
class CannotServe(BlackstartError):
    """The web view of ``what``, a folder or an address, could not begin."""

    what: str
    problem: str
    advice: str

    def __str__(self) -> str:
        return f"could not serve {self.what}: {self.problem}; {self.advice}"


@dataclass
class UnknownFormat(BlackstartError):
    """A form of the report that there is not, or not there."""

    wanted: str
    known: tuple[str, ...]
    why: str

    def __str__(self) -> str:
        why = self.why or "there is no such form"
        return f"no report was written in the form {self.wanted!r}: {why}; choose of {', '.join(self.known)}"


@dataclass
class NotArchived(BlackstartError):
    """The journal copy at ``url`` could not be written or read; the journal itself is as it was."""

    url: str
    problem: str
    advice: str = ""

    def __str__(self) -> str:
        return f"the archive {self.url} did not work: {self.problem}" + (f"; {self.advice}" if self.advice else "")
