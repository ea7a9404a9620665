"""Commands that read journals: the report of one drill, the history of all, reviews, evidence, a web view.

Each loads what it needs only when it runs, so that no other command starts slower.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()
journal = typer.Typer(help="Check that journals are as they were written; copy them to an archive, and back.")
app.add_typer(journal, name="journal")


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="A journal folder.")],
    formats: Annotated[str, typer.Option("--format", help="html, md, pdf, junit, json; commas between.")] = "html",
    output: Annotated[str, typer.Option(help="Another folder, a file for one format, or - to print it.")] = "",
) -> None:
    """Write the report of a journal anew, in one or more formats."""
    from blackstart.reports import export

    for path in export.run(folder, formats, output):
        typer.echo(str(path))


@app.command()
def evidence(
    *,
    start: Annotated[str, typer.Option("--from", help="First day of the period, like 2026-07-01; UTC.")],
    end: Annotated[str, typer.Option("--to", help="Its last day.")],
    framework: Annotated[str, typer.Option(help="soc2, pci-dss, hipaa, gdpr or iso22301.")],
    journals: Annotated[Path, typer.Option(help="The folder of journals.")] = Path("journals"),
    output: Annotated[Path | None, typer.Option(help="The archive to write.", show_default=False)] = None,
    sign_off: Annotated[list[Path] | None, typer.Option(help="A YAML file of sign-offs; repeat for more.")] = None,
    with_samples: Annotated[bool, typer.Option("--with-samples", help="With the records of single requests.")] = False,
    check: Annotated[bool, typer.Option("--check", help="End with 1 unless every control is supported.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For machines: JSON on standard output.")] = False,
) -> None:
    """Pack the drills of a period for an audit: one archive, and what it says of a framework's controls."""
    from blackstart.reports.evidence import command

    wanted = command.Wanted(start, end, framework, journals, output, sign_off or (), with_samples, check, as_json)
    raise typer.Exit(command.run(wanted))


@app.command()
def publish(
    folder: Annotated[Path | None, typer.Argument(help="A journal folder.", show_default=False)] = None,
    to: Annotated[str, typer.Option(help="Tables of [publish], commas between; all of them without it.")] = "",
    dashboard: Annotated[bool, typer.Option("--dashboard", help="Print the Grafana dashboard instead.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For machines: JSON on standard output.")] = False,
) -> None:
    """Tell Grafana, Prometheus, CloudWatch, OpenTelemetry, webhooks and Slack of a drill, again or by hand."""
    from blackstart.publish import command

    if dashboard:
        typer.echo(command.dashboard(), nl=False)
    elif folder is None:
        raise typer.BadParameter("name a journal folder, or ask for the --dashboard")
    else:
        raise typer.Exit(command.run(folder, to, as_json))


@app.command()
def serve(
    root: Annotated[Path, typer.Argument(help="The folder of journals.")] = Path("journals"),
    host: Annotated[str, typer.Option(help="Where to listen; there is no login.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8080,
) -> None:
    """Show journals, reports and running drills in a browser, on this machine; changes nothing."""
    from blackstart.web import serving

    raise typer.Exit(serving.run(root, host, port))


@app.command()
def review(
    incident: Annotated[Path | None, typer.Argument(help="The incident, YAML.", show_default=False)] = None,
    *,
    journals: Annotated[Path | None, typer.Option(help="The folder of journals.", show_default=False)] = None,
    output: Annotated[Path | None, typer.Option(help="The folder to write to.", show_default=False)] = None,
    experiments: Annotated[Path | None, typer.Option(help="Your own, in a folder.", show_default=False)] = None,
    stale_days: Annotated[
        float | None, typer.Option(min=0, help="A drill counts for so long; else as [coverage] has it, or 90.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a review that was edited.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of an incident, and end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For machines: JSON on standard output.")] = False,
) -> None:
    """Review an incident: what drills had said of it, why none prevented it, and an experiment that will."""
    from blackstart.reports.review import command

    if schema:
        raise typer.Exit(command.print_schema())
    options = command.Options(journals, output, experiments, stale_days, force, as_json)
    raise typer.Exit(command.run(incident, options))


@journal.command()
def verify(
    path: Annotated[Path, typer.Argument(help="A journal, the folder of all, or an archive of evidence (ZIP).")],
    allowed_signers: Annotated[
        Path | None, typer.Option(help="Who may sign, as for ssh-keygen; then each manifest must be signed.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For machines: JSON on standard output.")] = False,
) -> None:
    """Tell whether journals are as they were written. 0: they are; 1: something was changed; 2: nothing shows it."""
    from blackstart.journals import checking
    from blackstart.reports.evidence.verify import verify_archive

    as_archive = partial(verify_archive, signers=allowed_signers)
    raise typer.Exit(checking.run(path, as_json, allowed_signers, as_archive))


@journal.command()
def archive(folder: Annotated[Path, typer.Argument(help="A journal folder.")]) -> None:
    """Copy a journal to the bucket that blackstart.toml names, whatever is not there yet."""
    from blackstart import settings
    from blackstart.journals import archiving

    raise typer.Exit(archiving.run(folder, settings.current().archive))


@journal.command()
def fetch(
    url: Annotated[str, typer.Argument(help="s3://bucket/prefix/experiment/start")],
    output: Annotated[Path, typer.Option(help="The folder of journals that it goes to.")] = Path("journals"),
    region: Annotated[str, typer.Option(help="The bucket's; empty: that of the AWS environment.")] = "",
) -> None:
    """Bring a journal back from the archive, and verify it."""
    from blackstart.journals import archiving

    raise typer.Exit(archiving.bring(url, output, region))


@app.command()
def history(
    root: Annotated[Path, typer.Argument(help="The folder of journals.")] = Path("journals"),
    *,
    html: Annotated[Path | None, typer.Option(help="Write the page to this file, too.", show_default=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For machines: JSON on standard output.")] = False,
    experiment: Annotated[str, typer.Option(help="Only this experiment, with all its drills.")] = "",
    check: Annotated[bool, typer.Option("--check", help="End with 1 if a drill failed, is late or missing.")] = False,
    catalogue: Annotated[
        Path | None, typer.Option(help="What must be drilled; without it, [coverage]'s.", show_default=False)
    ] = None,
) -> None:
    """Show all drills: what was drilled and when, what never was, what got worse."""
    from blackstart.reports import history_run

    raise typer.Exit(history_run.run(history_run.Asked(root, html, as_json, experiment, check, catalogue)))
