"""What a message says in words, for the many servers that give no code, or only a vague one."""

from __future__ import annotations

import re
from dataclasses import dataclass

from codex_client.classify.meaning import (
    CONTEXT,
    CREDENTIAL,
    MODEL,
    OVERLOADED,
    PROMPT,
    QUOTA,
    RATE_LIMIT,
    Meaning,
)


@dataclass(frozen=True, slots=True)
class _Rule:
    """`statuses`: those under which the text may speak. Where no status is told, inside a stream, it always may."""

    meaning: Meaning
    statuses: frozenset[int]
    pattern: re.Pattern[str]


# Unsupported parameter: 'x'; Unknown parameter: x; Unrecognized request argument supplied: x; unknown field "x"; and
# the other way round, parameter 'x' is not supported.
_PARAMETER = re.compile(
    r"\b(?:unsupported|unknown|unrecogni[sz]ed|unexpected) (?:request )?(?:parameter|argument|field|property)"
    r"(?:s|\(s\))?(?: supplied)?:? {0,2}['\"`]?(?P<after>[A-Za-z_][\w.\[\]]{0,100})"
    r"|\b(?:parameter|argument|field|property):? {0,2}['\"`](?P<before>[A-Za-z_][\w.\[\]]{0,100})['\"`] is "
    r"(?:not (?:supported|permitted|allowed)|unsupported)",
    re.IGNORECASE,
)


def refused_parameter(message: str) -> str | None:
    """The parameter that a message calls unsupported or unknown, None where it does not speak of one."""
    found = _PARAMETER.search(message)
    return found and (found["after"] or found["before"]).rstrip(".")


def _rule(meaning: Meaning, statuses: set[int], *patterns: str) -> _Rule:
    return _Rule(meaning, frozenset(statuses), re.compile("|".join(patterns), re.IGNORECASE))


# The first match wins. Every repetition is bounded, so that a huge message costs linear time.
_RULES = (
    # Rate limits speak of tokens and lengths, so they go before the context rule.
    _rule(RATE_LIMIT, {413}, r"\b(?:tokens|requests) per (?:min|day)"),
    _rule(RATE_LIMIT, set(), r"rate[- ]limit(?:ed| (?:is )?(?:reached|exceeded))", r"too many requests"),
    _rule(
        CONTEXT,
        {400, 404, 413, 422, 500},
        r"exceeds? the context window",  # OpenAI
        r"max(?:imum)? context length",  # DeepSeek, OpenRouter, vLLM, Mistral, Ollama
        r"exceeds? (?:the )?(?:available )?context (?:size|length|limit)",  # llama.cpp
        r"prompt (?:is )?too long",  # Ollama, Anthropic
        r"too many tokens: size limit",  # Cohere
        r"(?:input|prompt) token count .{0,40}exceeds the maximum",  # Gemini
        r"maximum prompt length",  # xAI
        r"longer than the (?:maximum model|context) length",  # vLLM
        r"`inputs` (?:tokens \+ `max_new_tokens` must be|must have less than)",  # Text Generation Inference
        r"context length of only",  # LM Studio
        r"input is too long for (?:the )?requested model",  # Bedrock
    ),
    _rule(
        MODEL,
        {400, 404, 422},
        # The model `x` does not exist; model 'x' not found; models/x is not found.
        r"\bmodels?\b[\s/:`'\"]{0,3}[^\s`'\"]{0,200}[`'\"]? (?:(?:is|was|does) )?not (?:found|exist|available)",
        r"\bmodel not exist",  # DashScope
        r"\b(?:invalid|unknown|unsupported) model\b",
        r"is not a valid model",  # OpenRouter
        r"no endpoints found for ",  # OpenRouter
        r"model is not supported when using codex",  # ChatGPT backend, by plan
        r"allowed now, your model",  # Hyperbolic
    ),
    _rule(
        QUOTA,
        {400, 403, 429},
        r"insufficient (?:balance|credits?|funds)",  # DeepSeek, OpenRouter
        r"credit balance is too low",  # Anthropic
        r"used all available credits|monthly spending limit",  # xAI
    ),
    # xAI and Google answer 400 to a wrong key.
    _rule(
        CREDENTIAL,
        {400, 403},
        r"(?:incorrect|invalid|no) api key",
        r"api key (?:is )?(?:not valid|invalid|not found|expired)",
    ),
    _rule(OVERLOADED, {400, 429, 500, 502}, r"\bat capacity\b", r"\boverloaded\b"),
    # The ChatGPT backend's refusal of control tokens in the history.
    _rule(PROMPT, {400}, r"^request blocked"),
)


def meaning_of_text(message: str, status: int | None) -> Meaning | None:
    """What the words mean under this status, None where they say nothing."""
    for rule in _RULES:
        if (status is None or status in rule.statuses) and rule.pattern.search(message):
            return rule.meaning
    return None
