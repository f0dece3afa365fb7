"""Form: the parameters of one rule as plain fields, made from the schema that the daemon tells."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

from viewer.qt import QtWidgets
from viewer.rules_text import inline
from viewer.values import items, mapping

HELD = "for_s"  # every rule has it, and few use it: it comes last


class RulesForm(QtWidgets.QWidget):
    """A field for each parameter; an empty one leaves the parameter at its default."""

    def __init__(self) -> None:
        """No rule yet."""
        super().__init__()
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        self._known: Mapping[str, Any] = {}
        self.rule = QtWidgets.QComboBox()
        self.rule.setAccessibleName("rule")
        self.rule.activated.connect(lambda _: self.show_tree({"rule": self.rule.currentData()}))
        self._about = QtWidgets.QLabel()
        self._about.setObjectName("faint")
        self._about.setWordWrap(True)
        self._area = QtWidgets.QScrollArea()
        self._area.setWidgetResizable(True)
        self._area.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        self._area.setSizePolicy(QtWidgets.QSizePolicy.Policy.Ignored, QtWidgets.QSizePolicy.Policy.Ignored)
        for widget in (self.rule, self._about):
            column.addWidget(widget)
        column.addWidget(self._area, 1)
        self.fields: dict[str, QtWidgets.QComboBox | QtWidgets.QLineEdit] = {}

    def know(self, known: Mapping[str, Any]) -> None:
        """Take the rules that the daemon has."""
        self._known = known
        self.rule.clear()
        for name, told in known.items():
            about = str(mapping(told).get("told") or "")
            self.rule.addItem(f"{name}: {about}" if about else name, name)

    def show_tree(self, tree: Mapping[str, Any]) -> None:
        """Show one rule with its values; the others are empty."""
        name = str(tree.get("rule"))
        told = mapping(self._known.get(name))
        self.rule.setCurrentIndex(self.rule.findData(name))
        self._about.setText(str(told.get("about") or told.get("told") or ""))
        ground = QtWidgets.QWidget()
        ground.setObjectName("form")
        form = QtWidgets.QFormLayout(ground)
        form.setFieldGrowthPolicy(QtWidgets.QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.fields = {}
        required = items(told.get("required"))
        parameters = mapping(told.get("parameters"))
        for key in sorted(parameters, key=lambda key: (key not in required, key == HELD)):
            schema = parameters[key]
            field = _field(mapping(schema), tree.get(key), key in required)
            field.setAccessibleName(key)
            about = QtWidgets.QLabel(str(mapping(schema).get("description") or ""))
            about.setObjectName("faint")
            about.setWordWrap(True)
            label = QtWidgets.QLabel(key)
            label.setBuddy(field)
            form.addRow(label, field)
            form.addRow("", about)
            self.fields[key] = field
        self._area.setWidget(ground)  # the old fields are deleted by Qt

    def tree(self) -> dict[str, Any]:
        """What the fields say: the rule with everything that is not left at its default."""
        tree: dict[str, Any] = {"rule": self.rule.currentData()}
        parameters = mapping(mapping(self._known.get(self.rule.currentData())).get("parameters"))
        for key, field in self.fields.items():
            schema = mapping(parameters.get(key))
            if isinstance(field, QtWidgets.QComboBox):
                if field.currentData() is not None and field.currentData() != schema.get("default"):
                    tree[key] = field.currentData()
            elif field.text().strip():
                tree[key] = _value(field.text().strip(), schema)
        return tree


def _field(schema: Mapping[str, Any], value: Any, required: bool) -> QtWidgets.QComboBox | QtWidgets.QLineEdit:
    default = schema.get("default")
    choices = [False, True] if schema.get("type") == "boolean" else items(schema.get("enum"))
    if choices and (value is None or value in choices):
        box = QtWidgets.QComboBox()
        if required:
            box.addItem("", None)
        for choice in choices:
            box.addItem(choice if isinstance(choice, str) else inline(choice), choice)
        chosen = default if value is None else value
        box.setCurrentIndex(max(choices.index(chosen) + required if chosen in choices else 0, 0))
        return box
    line = QtWidgets.QLineEdit()
    if value is not None:
        line.setText(value if isinstance(value, str) else inline(value))
    line.setPlaceholderText("required" if required else "" if default is None else inline(default))
    return line


def _value(text: str, schema: Mapping[str, Any]) -> Any:
    """A field's text as a number, list or truth where it is one, else as it stands; the daemon says what is wrong."""
    if schema.get("type") == "string":
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
