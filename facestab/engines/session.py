"""ONNX Runtime's sessions."""

from pathlib import Path
from typing import Any

import torch

from facestab.errors import FacestabError


def open_session(path: Path, device: torch.device, workers: int = 1) -> Any:
    """An `onnxruntime.InferenceSession` on an ONNX file, on CUDA where the installed runtime has it.

    Args:
        path: the file.
        device: where torch runs.
        workers: threads that will call it at the same time; each call has its share of torch's threads.

    Raises:
        FacestabError: when onnxruntime is not installed, or cannot run the file.
    """
    try:
        import onnxruntime
    except ImportError:
        raise FacestabError("onnxruntime is not installed; pip install 'facestab[export]'") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = max(1, torch.get_num_threads() // workers)
    # waiting threads that spin slow down everything else on a small machine
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    wanted = ["CUDAExecutionProvider"] if device.type == "cuda" else []
    found = onnxruntime.get_available_providers()
    providers = [*(provider for provider in wanted if provider in found), "CPUExecutionProvider"]
    try:
        # without a place of its own it cannot refer to other files; some versions follow such paths anywhere
        return onnxruntime.InferenceSession(path.read_bytes(), options, providers=providers)
    except Exception as error:
        # its own exceptions have no common base
        raise FacestabError(f"{path}: ONNX Runtime cannot run it ({str(error).splitlines()[0]})") from error
