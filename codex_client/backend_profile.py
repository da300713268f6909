"""Backend profiles: what a kind of server requires, allows and refuses. Plain data, one value per kind.

Where it is known from: OpenAI's API reference and the answers of its servers; the ChatGPT backend from codex's own
requests and from the 400s that other clients of it have reported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import chain


@dataclass(frozen=True, kw_only=True)
class BackendProfile:
    """How requests to one kind of server differ from the plain API.

    | field                    | meaning                                                                              |
    |--------------------------|--------------------------------------------------------------------------------------|
    | `provider_names`         | what a provider may be called, in lower case, to have this profile without saying so |
    | `domains`                | the same for the host of its base URL: these, and what is below them                 |
    | `refused`                | payload fields, such as `text.verbosity`, that it answers with 400: left out with a  |
    |                          | warning, or an error                                                                 |
    | `default_instructions`   | sent where a prompt has none, because it demands some                                |
    | `default_verbosity`      | sent as `text.verbosity` where a prompt has none                                     |
    | `stores`                 | False: it refuses `store: true`                                                      |
    | `takes_system_messages`  | False: leading system messages go into the instructions, later ones as developer's   |
    | `needs_conversation`     | a client without a `conversation_id` makes one: session headers, prompt cache key    |
    | `echoes_turn_state`      | its `x-codex-turn-state` goes back with the further requests of a turn               |
    | `takes_zstd`             | request bodies go out compressed where the extra `zstd` is installed                 |
    | `max_call_id_chars`      | longer ids of calls, and odd ones, are replaced, the same way in the call and its    |
    |                          | output; None: ids go back as they came                                               |
    | `takes_raw_reasoning`    | whether a Responses server is given back the raw text of its reasoning               |
    | `reasoning_field`        | the field of a Chat message that takes reasoning back; "" where it refuses any       |
    | `max_tokens_field`       | what the Chat API calls the limit on output                                          |
    | `takes_cache_key`        | Chat bodies carry the conversation's id as `prompt_cache_key`; strict servers refuse |
    |                          | fields that they do not know                                                         |
    | `takes_tool_media`       | whether a Chat message of a tool may hold images                                     |
    | `headers`                | sent with every request, below the provider's own                                    |
    | `models_path`            | where under the base URL it lists its models                                         |
    | `models_query`           | what that address is asked with                                                      |
    | `has_effort_suffixes`    | its models have no ":" in their names, so that "gpt-5.2:high" asks for an effort     |
    | `guards_garbled`         | whether `GuardPolicy` looks for garbled output where it is not told                  |
    | `guards_empty`           | the same for empty answers                                                           |
    | `first_event_timeout`    | seconds; where `Timeouts.first_event` is not set                                     |
    """

    name: str
    provider_names: frozenset[str] = frozenset()
    domains: tuple[str, ...] = ()
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
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    models_path: str = "/models"
    models_query: Mapping[str, str] = field(default_factory=dict[str, str])
    has_effort_suffixes: bool = False
    guards_garbled: bool = False
    guards_empty: bool = False
    first_event_timeout: float | None = None

    def is_host(self, host: str) -> bool:
        """Whether this is one of its own hosts, so that nothing else stands between."""
        return any(host == domain or host.endswith(f".{domain}") for domain in self.domains)


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
    provider_names=frozenset({"openai"}),
    domains=("api.openai.com",),
    max_call_id_chars=64,
    takes_raw_reasoning=False,
    reasoning_field="",
    # Its reasoning models refuse the old name; most other servers know only that one.
    max_tokens_field="max_completion_tokens",
    takes_cache_key=True,
    # It takes images from the user only: older models answer 400, newer ones do not see them.
    takes_tool_media=False,
    has_effort_suffixes=True,
)
# Known by `ModelProviderInfo.is_azure`. A deployment has the name that its owner gave it.
AZURE = replace(OPENAI, name="azure", provider_names=frozenset[str](), domains=(), has_effort_suffixes=False)
CHATGPT_CODEX = replace(
    OPENAI,
    name="chatgpt-codex",
    provider_names=frozenset({"chatgpt"}),
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
OPENROUTER = BackendProfile(name="openrouter", provider_names=frozenset({"openrouter"}), domains=("openrouter.ai",))
# DeepSeek answers 400 to a tool loop without its reasoning, and does not know `reasoning`; those that took its name for
# the field over ignore the one that is not theirs, and the model thinks anew.
DEEPSEEK = BackendProfile(
    name="deepseek",
    provider_names=frozenset({"deepseek", "llamacpp", "moonshot", "zai"}),
    domains=("deepseek.com", "moonshot.ai", "moonshot.cn", "z.ai", "bigmodel.cn", "aliyuncs.com"),
    reasoning_field="reasoning_content",
)
# Fields of a message that it does not know are 422, "extra inputs are not permitted".
MISTRAL = BackendProfile(
    name="mistral", provider_names=frozenset({"mistral"}), domains=("mistral.ai",), reasoning_field=""
)
GENERIC_CHAT = BackendProfile(name="generic-chat")
GENERIC_RESPONSES = BackendProfile(name="generic-responses")

_KNOWN = (OPENAI, AZURE, CHATGPT_CODEX, OPENROUTER, DEEPSEEK, MISTRAL, GENERIC_CHAT, GENERIC_RESPONSES)


def built_in_profiles() -> dict[str, BackendProfile]:
    """The profiles known by name, a new dictionary each time."""
    return {profile.name: profile for profile in _KNOWN}


def known_profile(provider_name: str, host: str) -> BackendProfile | None:
    """The built-in profile that goes by this name of a provider, else by its host; in lower case both."""
    named = (each for each in _KNOWN if provider_name in each.provider_names)
    hosted = (each for each in _KNOWN if each.is_host(host))
    return next(chain(named, hosted), None)
