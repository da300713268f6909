"""Backend profiles: what a kind of server requires, allows and refuses. Plain data, one value per kind.

Where it is known from: OpenAI's API reference and the answers of its servers; the ChatGPT backend from codex's own
requests and from the 400s that other clients of it have reported.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, cast

from codex_client.errors import ConfigurationError

# What the answer is about, and how this library reads it.
_PROTECTED = frozenset(
    {
        "conversation",
        "input",
        "instructions",
        "messages",
        "model",
        "parallel_tool_calls",
        "previous_response_id",
        "prompt",
        "response_format",
        "stop",
        "store",
        "stream",
        "text.format",
        "tool_choice",
        "tools",
    }
)
_MAX_TOKENS_FIELDS = ("max_tokens", "max_completion_tokens")
# The ids that stand in for longer ones have 29.
_LEAST_CALL_ID_CHARS = 30


@dataclass(frozen=True, kw_only=True)
class BackendProfile:
    """How requests to one kind of server differ from the plain API.

    | field                    | meaning                                                                              |
    |--------------------------|--------------------------------------------------------------------------------------|
    | `domains`                | its hosts, and what is below them: a provider with such a base URL has this profile  |
    |                          | without saying so                                                                    |
    | `provider_names`         | the same for what a provider is called, in lower case: programs that run on any host |
    | `refused`                | payload fields, such as `text.verbosity`, that it answers with 400: left out with a  |
    |                          | warning, or an error; never one that the meaning hangs on (`is_protected`)           |
    | `default_instructions`   | sent where a prompt has none, because it demands some                                |
    | `default_verbosity`      | sent as `text.verbosity` where a prompt has none                                     |
    | `stores`                 | False: it keeps nothing. `store` is false and `stream` true whatever a prompt's      |
    |                          | `extra` says, an input is a list, and no id of an item is sent                       |
    | `takes_system_messages`  | False: leading system messages go into the instructions, later ones as developer's   |
    | `needs_conversation`     | a prompt without a `conversation_id` gets one by how it began: session headers,      |
    |                          | prompt cache key                                                                     |
    | `echoes_turn_state`      | its `x-codex-turn-state` goes back with the further requests of a turn               |
    | `takes_zstd`             | request bodies go out compressed where the extra `zstd` is installed                 |
    | `max_call_id_chars`      | longer ids of calls, and odd ones, are replaced, the same way in the call and its    |
    |                          | output; at least 30; None: ids go back as they came                                  |
    | `takes_raw_reasoning`    | whether a Responses server is given back the raw text of its reasoning               |
    | `reasoning_field`        | the field of a Chat message that takes reasoning back; "" where it refuses any       |
    | `max_tokens_field`       | what the Chat API calls the limit on output: `max_tokens` or `max_completion_tokens` |
    | `takes_cache_key`        | Chat bodies carry the conversation's id as `prompt_cache_key`; strict servers refuse |
    |                          | fields that they do not know                                                         |
    | `takes_tool_media`       | whether a Chat message of a tool may hold images                                     |
    | `takes_custom_tools`     | whether its Chat API has free-form tools (`CustomTool`)                              |
    | `headers`                | sent with every request, below the provider's own                                    |
    | `models_path`            | where under the base URL it lists its models                                         |
    | `models_query`           | what that address is asked with                                                      |
    | `uses_catalogue`         | its models go by the catalogue's names, so that aliases hold, "gpt-5.2:high" asks    |
    |                          | for an effort, and efforts and verbosities are checked against the catalogue         |
    | `guards_garbled`         | whether `GuardPolicy` looks for garbled output where it is not told                  |
    | `guards_empty`           | the same for empty answers                                                           |
    | `first_event_timeout`    | seconds; where `Timeouts.first_event` is not set                                     |

    Raises `ConfigurationError` for what cannot hold.
    """

    name: str
    domains: tuple[str, ...] = ()
    provider_names: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()
    default_instructions: str = ""
    default_verbosity: str | None = None
    stores: bool = True
    takes_system_messages: bool = True
    needs_conversation: bool = False
    echoes_turn_state: bool = False
    takes_zstd: bool = False
    max_call_id_chars: int | None = None
    takes_raw_reasoning: bool = True
    reasoning_field: str = "reasoning"
    max_tokens_field: str = "max_tokens"
    takes_cache_key: bool = False
    takes_tool_media: bool = True
    takes_custom_tools: bool = False
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    models_path: str = "/models"
    models_query: Mapping[str, str] = field(default_factory=dict[str, str])
    uses_catalogue: bool = False
    guards_garbled: bool = False
    guards_empty: bool = False
    first_event_timeout: float | None = None

    def __post_init__(self) -> None:
        for name in ("provider_names", "domains", "refused"):
            self._check_texts(name)
        if kept := sorted(filter(is_protected, self.refused)):
            raise self._fault("refused", f"holds {kept[0]!r}, which is never left out: the meaning hangs on it")
        self._check_texts_given()
        if self.max_tokens_field not in _MAX_TOKENS_FIELDS:
            names = " or ".join(map(repr, _MAX_TOKENS_FIELDS))
            raise self._fault("max_tokens_field", f"is {self.max_tokens_field!r}; it is {names}")
        # NaN fails every comparison.
        if self.first_event_timeout is not None and not self.first_event_timeout > 0:
            raise self._fault("first_event_timeout", f"is {self.first_event_timeout}; it must be above 0, or None")
        if self.max_call_id_chars is not None and self.max_call_id_chars < _LEAST_CALL_ID_CHARS:
            raise self._fault(
                "max_call_id_chars", f"is {self.max_call_id_chars}; it must be at least {_LEAST_CALL_ID_CHARS}, or None"
            )

    def is_host(self, host: str) -> bool:
        """Whether this is one of its own hosts, so that nothing else stands between."""
        return any(host == domain or host.endswith(f".{domain}") for domain in self.domains)

    def _check_texts_given(self) -> None:
        if not self.name:
            raise ConfigurationError("a profile's name is empty; give it one")
        if self.default_verbosity == "":
            raise self._fault("default_verbosity", "is empty; None leaves it to the model")
        if not self.models_path.startswith("/"):
            raise self._fault("models_path", f"is {self.models_path!r}; it begins with '/', as it follows the base URL")

    def _check_texts(self, name: str) -> None:
        """A lone text would be taken for its letters."""
        texts: Any = getattr(self, name)
        if not isinstance(texts, frozenset | set | tuple | list):
            raise self._fault(name, f"is of type {type(texts).__name__}; give several texts, such as {{'a', 'b'}}")
        if not all(isinstance(text, str) and text.strip() for text in cast("set[Any]", texts)):
            raise self._fault(name, "holds what is no text, or an empty one; leave that out")

    def _fault(self, field_name: str, what: str) -> ConfigurationError:
        return ConfigurationError(f"profile {self.name!r}: {field_name} {what}")


def is_protected(path: str) -> bool:
    """Whether this field of a payload, such as `text.format`, is never left out, whatever a server says of it.

    Also `text`, for what is in it, and every place inside a list: lists are the input and the tools.
    """
    steps = re.split(r"[.\[]", path)
    return steps[0] in _PROTECTED or ".".join(steps[:2]) in _PROTECTED or path == "text" or "[" in path


# Fields that its users have seen refused with 400, beside what other clients of it have learnt to leave out.
_CODEX_REFUSED = frozenset(
    {
        "temperature",
        "top_p",
        "max_output_tokens",
        "metadata",
        "user",
        "safety_identifier",
        "prompt_cache_retention",
        "truncation",
        "top_logprobs",
        "background",
    }
)

OPENAI = BackendProfile(
    name="openai",
    domains=("api.openai.com",),
    max_call_id_chars=64,
    takes_raw_reasoning=False,
    reasoning_field="",
    # Its reasoning models refuse the old name; most other servers know only that one.
    max_tokens_field="max_completion_tokens",
    takes_cache_key=True,
    # It takes images from the user only: older models answer 400, newer ones do not see them.
    takes_tool_media=False,
    takes_custom_tools=True,
    uses_catalogue=True,
)
# Known by `ModelProviderInfo.is_azure`. A deployment has the name that its owner gave it.
AZURE = replace(OPENAI, name="azure", domains=(), uses_catalogue=False)
CHATGPT_CODEX = replace(
    OPENAI,
    name="chatgpt-codex",
    domains=("chatgpt.com",),
    refused=_CODEX_REFUSED,
    # Anything but an empty text is taken; a demand for codex's own wording was dropped in 2025.
    default_instructions="You are a helpful assistant.",
    # Without it, models of 2025 announce an action and stop, or write calls into the text.
    default_verbosity="medium",
    stores=False,
    takes_system_messages=False,
    needs_conversation=True,
    echoes_turn_state=True,
    takes_zstd=True,
    headers={"originator": "codex_client"},
    # Newer models are hidden from clients that call themselves older.
    models_query={"client_version": "1.0.0"},
    guards_garbled=True,
    guards_empty=True,
    # A stalled start has lasted 600 s, where asking again was answered within 8 s.
    first_event_timeout=120.0,
)
OPENROUTER = BackendProfile(name="openrouter", domains=("openrouter.ai",))
# DeepSeek answers 400 to a tool loop without its reasoning, and does not know `reasoning`; those that took its name for
# the field over ignore the one that is not theirs, and the model thinks anew.
DEEPSEEK = BackendProfile(
    name="deepseek",
    domains=("deepseek.com", "moonshot.ai", "moonshot.cn", "z.ai", "bigmodel.cn", "aliyuncs.com"),
    provider_names=frozenset({"llamacpp"}),
    reasoning_field="reasoning_content",
)
# Fields of a message that it does not know are 422, "extra inputs are not permitted".
MISTRAL = BackendProfile(name="mistral", domains=("mistral.ai",), reasoning_field="")
GENERIC_CHAT = BackendProfile(name="generic-chat")
GENERIC_RESPONSES = BackendProfile(name="generic-responses")

_KNOWN = (OPENAI, AZURE, CHATGPT_CODEX, OPENROUTER, DEEPSEEK, MISTRAL, GENERIC_CHAT, GENERIC_RESPONSES)


def built_in_profiles() -> dict[str, BackendProfile]:
    """The profiles known by name, a new dictionary each time."""
    return {profile.name: profile for profile in _KNOWN}


def known_profile(provider_name: str, host: str) -> BackendProfile | None:
    """The built-in profile of this host, else of the program that a provider is named after; in lower case both.

    A service's name proves nothing: what stands at another address under it is a proxy, or any other server.
    """
    hosted = (each for each in _KNOWN if each.is_host(host))
    named = (each for each in _KNOWN if provider_name in each.provider_names)
    return next(chain(hosted, named), None)
