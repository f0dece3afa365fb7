"""PicoQuant tags: what the spool's PTU header says of device and settings, under the names of the vendor's programs."""

from __future__ import annotations

from sources.devices.picoquant_device import PicoQuantDevice
from sources.devices.picoquant_models import CFD, MODES
from sources.devices.spool import Tag


def header_tags(device: PicoQuantDevice) -> list[Tag]:
    """Tags of a device that is set up."""
    settings = device.settings
    tags: list[Tag] = [
        ("Measurement_Mode", -1, MODES[device.mode]),
        ("Measurement_SubMode", -1, 0),
        ("HW_Type", -1, device.hardware),
        ("HW_Version", -1, device.version),
        ("HW_SerialNo", -1, device.serial),
        ("HW_LibVersion", -1, device.library_version),
        ("HW_BaseResolution", -1, device.base_ps * 1e-12),
        ("HW_InpChannels", -1, device.inputs + 1),
        ("HWSync_Divider", -1, settings.sync_divider),
        ("HWSync_Offset", -1, settings.sync_offset_ps),
        ("MeasDesc_BinningFactor", -1, 1 << settings.binning),
        ("MeasDesc_Offset", -1, settings.offset_ns),
        ("MeasDesc_AcquisitionTime", -1, settings.duration_ms),
        ("MeasDesc_GlobalResolution", -1, device.tick_s),
        ("MeasDesc_Resolution", -1, device.resolution_s or device.tick_s),
        ("TTResult_SyncRate", -1, round(device.sync_rate_hz or 0)),
        ("TTResultFormat_TTTRRecType", -1, device.record_type),
    ]
    sync, inputs = device.triggers
    words = ("CFDLevel", "CFDZeroCr") if device.kind == CFD else ("TrgLvl", "TrgEdge")
    tags += [(f"HWSync_{word}", -1, value) for word, value in zip(words, sync, strict=True)]
    offsets = device.each("input_offset_ps", settings.input_offset_ps)
    for at, pair in enumerate(inputs):
        tags += [("HWInpChan_Enabled", at, int(device.enabled(at))), ("HWInpChan_Offset", at, offsets[at])]
        tags += [(f"HWInpChan_{word}", at, value) for word, value in zip(words, pair, strict=True)]
    return tags
