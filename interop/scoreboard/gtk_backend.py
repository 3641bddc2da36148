"""gtk as a backend of onnx.backend.base: each run is one call of the program.

The program is found on PATH, or named by the environment variable GTK. Values travel as ONNX's own messages, so that every
element type, sequences and optionals arrive as they are.
"""

import os
import shutil
import subprocess
import tempfile

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.base import Backend, BackendRep
from onnx.backend.test.runner import BackendIsNotSupposedToImplementIt

TIMEOUT = 120  # seconds for one run


def program():
    """The path of gtk."""
    path = os.environ.get("GTK") or shutil.which("gtk")
    if not path:
        raise RuntimeError("gtk is not on PATH: install it or set GTK")
    return path


def message(value, typ, name):
    """The serialised message of a value of that type."""
    kind = typ.WhichOneof("value")
    if kind == "optional_type":
        if value is None:
            return onnx.OptionalProto(name=name).SerializeToString()
        elem = typ.optional_type.elem_type
        proto = onnx.OptionalProto(name=name)
        if elem.WhichOneof("value") == "sequence_type":
            proto.elem_type = onnx.OptionalProto.SEQUENCE
            proto.sequence_value.CopyFrom(sequence(value, ""))
        else:
            proto.elem_type = onnx.OptionalProto.TENSOR
            proto.tensor_value.CopyFrom(numpy_helper.from_array(np.asarray(value)))
        return proto.SerializeToString()
    if kind == "sequence_type":
        return sequence(value, name).SerializeToString()
    return numpy_helper.from_array(np.asarray(value), name).SerializeToString()


def sequence(values, name):
    proto = onnx.SequenceProto(name=name, elem_type=onnx.SequenceProto.TENSOR)
    for v in values:
        proto.tensor_values.append(numpy_helper.from_array(np.asarray(v)))
    return proto


def value(data, typ):
    """The value of a serialised message of that type."""
    kind = typ.WhichOneof("value")
    if kind == "sequence_type":
        return from_sequence(onnx.SequenceProto.FromString(data))
    if kind == "optional_type":
        proto = onnx.OptionalProto.FromString(data)
        if proto.elem_type == onnx.OptionalProto.TENSOR:
            return numpy_helper.to_array(proto.tensor_value)
        if proto.elem_type == onnx.OptionalProto.SEQUENCE:
            return from_sequence(proto.sequence_value)
        return None
    return numpy_helper.to_array(onnx.TensorProto.FromString(data))


def from_sequence(proto):
    if proto.elem_type == onnx.SequenceProto.MAP:
        return [from_map(m) for m in proto.map_values]
    return [numpy_helper.to_array(t) for t in proto.tensor_values]


def from_map(proto):
    keys = list(proto.keys) or [k.decode() for k in proto.string_keys]
    return dict(zip(keys, from_sequence(proto.values)))


class GtkRep(BackendRep):
    """A model that was handed to gtk."""

    def __init__(self, model):
        self.data = model.SerializeToString()
        with_default = {i.name for i in model.graph.initializer}
        self.inputs = [i for i in model.graph.input if i.name not in with_default]
        self.outputs = list(model.graph.output)

    def run(self, inputs, **kwargs):
        """The outputs for inputs, a list in the order of the model's, or a dict by name."""
        if isinstance(inputs, dict):
            inputs = [inputs[i.name] for i in self.inputs]
        elif not isinstance(inputs, (list, tuple)):
            inputs = [inputs]
        with tempfile.TemporaryDirectory() as folder:
            model = os.path.join(folder, "model.onnx")
            with open(model, "wb") as f:
                f.write(self.data)
            out = os.path.join(folder, "out")
            call = [program(), "run", model, "--pb", "--top", "0", "-q", "-o", out]
            for k, (info, x) in enumerate(zip(self.inputs, inputs)):
                path = os.path.join(folder, f"in_{k}.pb")
                with open(path, "wb") as f:
                    f.write(message(x, info.type, info.name))
                call += ["--input", f"{info.name}={path}"]
            try:
                done = subprocess.run(call, capture_output=True, text=True, timeout=TIMEOUT, check=False)
            except subprocess.TimeoutExpired as e:
                raise RuntimeError(f"gtk took more than {TIMEOUT} s") from e
            if done.returncode:
                if "not supported" in done.stderr:
                    raise BackendIsNotSupposedToImplementIt(done.stderr.strip())
                raise RuntimeError(f"gtk: exit {done.returncode}: {done.stderr.strip()}")
            result = []
            for k, info in enumerate(self.outputs):
                with open(os.path.join(out, f"output_{k}.pb"), "rb") as f:
                    result.append(value(f.read(), info.type))
            return tuple(result)


class GtkBackend(Backend):
    """The backend: CPU only."""

    @classmethod
    def is_compatible(cls, model, device="CPU", **kwargs):
        return device == "CPU"

    @classmethod
    def prepare(cls, model, device="CPU", **kwargs):
        return GtkRep(model)

    @classmethod
    def run_model(cls, model, inputs, device="CPU", **kwargs):
        return cls.prepare(model, device, **kwargs).run(inputs)

    @classmethod
    def supports_device(cls, device):
        return device == "CPU"


is_compatible = GtkBackend.is_compatible
prepare = GtkBackend.prepare
run_model = GtkBackend.run_model
run_node = GtkBackend.run_node
supports_device = GtkBackend.supports_device
