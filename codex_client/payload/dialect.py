"""What servers of one API take differently. Everything here is told by the provider's name or host alone."""

from __future__ import annotations

from urllib.parse import urlsplit

from codex_client.model_provider import ModelProviderInfo

_OPENAI_NAMES = frozenset({"openai", "chatgpt"})
_OPENAI_DOMAINS = ("api.openai.com", "chatgpt.com")

# Chat servers that read back their reasoning under DeepSeek's name for it. DeepSeek answers 400 to a tool loop
# without it, and does not know `reasoning`; the others ignore the name that is not theirs, and the model thinks anew.
_REASONING_CONTENT_NAMES = frozenset({"deepseek", "llamacpp", "moonshot", "zai"})
_REASONING_CONTENT_DOMAINS = ("deepseek.com", "moonshot.ai", "moonshot.cn", "z.ai", "bigmodel.cn", "aliyuncs.com")


def is_openai(provider: ModelProviderInfo) -> bool:
    """Whether OpenAI itself serves this: its API, the ChatGPT backend, or Azure. These check every field they get."""
    return provider.is_azure or _matches(provider, _OPENAI_NAMES, _OPENAI_DOMAINS)


def reasoning_field(provider: ModelProviderInfo) -> str:
    """The field of an assistant message that takes reasoning back on the Chat API, "" where the server refuses any.

    OpenAI's Chat API and Mistral (422, "extra inputs are not permitted") refuse message fields that they do not know.
    """
    if is_openai(provider) or _matches(provider, frozenset({"mistral"}), ("mistral.ai",)):
        return ""
    if _matches(provider, _REASONING_CONTENT_NAMES, _REASONING_CONTENT_DOMAINS):
        return "reasoning_content"
    return "reasoning"


def _matches(provider: ModelProviderInfo, names: frozenset[str], domains: tuple[str, ...]) -> bool:
    host = urlsplit(provider.base_url).hostname or ""
    return provider.name.lower() in names or any(host == domain or host.endswith(f".{domain}") for domain in domains)
