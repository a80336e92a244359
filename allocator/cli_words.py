"""click in the user's language: help pages, choices and usage errors."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any, Final, TypeVar

import click

from allocator.i18n import Words
from allocator.legible import readable

WIDTH = 80
"""Columns of a help page."""
PLACES: Final = ("FILE", "FOLDER", "DIR", "BOOK", "URL")
"""Words in the metavar of a parameter that names a place, which is handed on to the system as it is."""


SpokenT = TypeVar("SpokenT", bound="Spoken")
Callback = Callable[[click.Context, click.Parameter, Any], Any]


def one_of(choices: Sequence[str], words: Words) -> Callback:
    """Make an option's callback that takes one out of a list."""

    def check(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
        if value is None or value in choices:
            return value
        allowed = ", ".join(choices)
        text = words.text("error.bad_choice", option=_name(param), value=value, allowed=allowed)
        raise click.UsageError(text, ctx)

    return check


def a_day(words: Words) -> Callback:
    """Make an option's callback that reads a date, YYYY-MM-DD."""

    def check(ctx: click.Context, param: click.Parameter, value: str | None) -> date | None:
        try:
            return None if value is None else date.fromisoformat(value)
        except ValueError:
            raise click.UsageError(words.text("error.bad_date", option=_name(param)), ctx) from None

    return check


def a_count(words: Words, most: int) -> Callback:
    """Make an option's callback that reads a whole number from 1 to ``most``."""

    def check(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
        if value is None:
            return None
        if value.isascii() and value.isdigit() and 1 <= int(value) <= most:
            return int(value)
        text = words.text("error.bad_count", option=_name(param), value=value, most=most)
        raise click.UsageError(text, ctx)

    return check


def a_number(words: Words, key: str, fits: Callable[[float], bool]) -> Callback:
    """Make an option's callback that reads a plain number such as 0.95; ``key`` names the words for what is allowed."""

    def check(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
        if value is None:
            return None
        if re.fullmatch(r"[0-9]+(\.[0-9]*)?|\.[0-9]+", value) and fits(float(value)):
            return float(value)
        text = words.text("error.bad_choice", option=_name(param), value=value, allowed=words.text(key))
        raise click.UsageError(text, ctx)

    return check


class Word(click.types.StringParamType):
    """Text that is no file's name: read as UTF-8 also where the locale knows no Chinese (``LC_ALL=C``)."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ARG002
        """Read it."""
        return readable(value)


class Spoken(click.Command):
    """A command whose help speaks the user's language."""

    words: Words

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the arguments apart; one too many is told in words."""
        rest = super().parse_args(ctx, args)
        if ctx.args and not isinstance(self, click.Group):
            raise click.UsageError(self.words.text("error.extra_argument", argument=ctx.args[0]), ctx)
        return rest

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the usage line."""
        formatter.write_usage(
            ctx.command_path, " ".join(self.collect_usage_pieces(ctx)), prefix=self.words.text("help.usage") + " "
        )

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write what the command does."""
        from allocator.reporting.layout import wrap

        formatter.write("\n" + "".join(f"  {line}\n" for line in wrap(self.help or "", WIDTH - 4)))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options and, for a group, its commands."""
        found = [(p.get_help_record(ctx), p) for p in self.get_params(ctx)]
        _definitions(
            self.words.text("help.options"), [r for r, p in found if r and not isinstance(p, click.Argument)], formatter
        )
        if isinstance(self, click.Group):
            _definitions(
                self.words.text("help.commands"), [(n, c.short_help or "") for n, c in self.commands.items()], formatter
            )


class SpokenGroup(Spoken, click.Group):
    """A group of commands in the user's language."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which one may be meant."""
        if args[0].startswith("-") or self.get_command(ctx, args[0]) is not None:
            return super().resolve_command(ctx, args)
        near = difflib.get_close_matches(args[0], self.commands, n=1) or list(self.commands)
        raise click.UsageError(
            self.words.text("error.no_such_command", command=args[0], hint=did_you_mean(near, self.words)), ctx
        )


def command(words: Words, name: str, callback: Any, params: Sequence[click.Parameter], help_key: str) -> Spoken:
    """Make a command; its short help is the first sentence of its help."""
    for param in params:
        if param.type is click.STRING and not any(place in (param.metavar or "") for place in PLACES):
            param.type = Word()
    out = Spoken(
        name,
        callback=callback,
        params=[*params, help_option(words)],
        add_help_option=False,
        context_settings={"allow_extra_args": True},
    )
    return _spoken(out, words, help_key)


def group(
    words: Words, name: str, params: Sequence[click.Parameter], help_key: str, commands: Sequence[click.Command]
) -> SpokenGroup:
    """Make a group of commands; called without one it shows its help and counts as wrong usage."""

    def nothing() -> int:
        ctx = click.get_current_context()
        if ctx.invoked_subcommand is None:
            click.echo(ctx.get_help(), err=True)
            ctx.exit(2)
        return 0

    out = SpokenGroup(
        name,
        callback=nothing,
        params=[*params, help_option(words)],
        add_help_option=False,
        invoke_without_command=True,
        no_args_is_help=False,
    )
    for one in commands:
        out.add_command(one)
    return _spoken(out, words, help_key)


def help_option(words: Words) -> click.Option:
    """The --help option."""

    def show(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
        if asked and not ctx.resilient_parsing:
            click.echo(ctx.get_help())
            ctx.exit()

    return click.Option(
        ["--help"], is_flag=True, is_eager=True, expose_value=False, callback=show, help=words.text("help.help")
    )


def usage_message(error: click.ClickException, words: Words) -> str:
    """Say what is wrong with a command line, in the user's language."""
    if isinstance(error, click.NoSuchOption):
        hint = did_you_mean(list(error.possibilities or []), words) if error.possibilities else ""
        return words.text("error.no_such_option", option=error.option_name, hint=hint)
    if isinstance(error, click.MissingParameter):
        param = error.param
        return words.text("error.missing_argument", argument=_name(param))
    if isinstance(error, click.BadOptionUsage):
        return words.text("error.option_needs_value", option=error.option_name)
    return error.message


def did_you_mean(options: Sequence[str], words: Words) -> str:
    """A hint at what may have been meant."""
    return words.text("error.did_you_mean", options=", ".join(options))


def _spoken(one: SpokenT, words: Words, help_key: str) -> SpokenT:
    text = words.text(help_key)
    one.words, one.help = words, text
    end = "。" if words.lang == "zh" else ". "
    first = text.split(end)[0].rstrip(".")
    one.short_help = first + ("。" if words.lang == "zh" else ".")
    return one


def _definitions(title: str, rows: Sequence[tuple[str, str]], formatter: click.HelpFormatter) -> None:
    from allocator.reporting.layout import wrap

    left = min(max((len(r[0]) for r in rows), default=0), 26)
    formatter.write(f"\n{title}:\n")
    for name, text in rows:
        lines = wrap(text, WIDTH - left - 6)
        head = f"  {name:<{left}}  "
        if len(name) > left:
            formatter.write(f"  {name}\n")
            head = " " * (left + 4)
        formatter.write(head + ("\n" + " " * (left + 4)).join(lines) + "\n")


def _name(param: click.Parameter | None) -> str:
    if param is None:
        return ""
    return param.opts[-1] if isinstance(param, click.Option) else str(param.human_readable_name)
