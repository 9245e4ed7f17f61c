"""The one way in which a test ends without an answer about the model: verdict Error and a sentence for a person."""


class TestFault(Exception):  # noqa: N818 - it is a verdict, not a defect of the program
    """The test cannot be carried out; the message names the field, file or address at fault."""

    __test__ = False
