import re

import pytest

from blackstart.errors import ConfigInvalid
from blackstart.reports.evidence.frameworks import Name, load
from blackstart.reports.evidence.shown import Kind

IDS = {
    Name.SOC2: r"(A1|CC\d)\.\d",
    Name.PCI_DSS: r"12\.10\.\d",
    Name.HIPAA: r"164\.308\(a\)\(7\)\(ii\)\([A-E]\)",
    Name.GDPR: r"Art\. 32\(1\)\([a-d]\)",
    Name.ISO22301: r"(8\.[456](\.\d)?|9\.1)",
}


@pytest.mark.parametrize("name", Name)
def test_each_framework_says_why_and_what_is_not_shown(name):
    framework = load(name)
    assert framework.key is name
    ids = [control.id for control in framework.controls]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(IDS[name], each) for each in ids)
    assert not set(ids) & {each.id for each in framework.outside}
    assert framework.outside
    for control in framework.controls:
        assert len(control.why) > 40
        assert len(control.but) > 20
        assert not set(control.needs) & set(control.also)


def test_the_criticality_analysis_is_never_claimed():
    hipaa = load(Name.HIPAA)
    assert not any(control.id.endswith("(E)") for control in hipaa.controls)
    assert any(each.id.endswith("(E)") for each in hipaa.outside)


def test_everything_that_a_drill_can_show_speaks_to_some_control():
    spoken = {kind for name in Name for control in load(name).controls for kind in (*control.needs, *control.also)}
    assert spoken == set(Kind)


def test_another_framework_is_refused_with_the_ones_there_are():
    with pytest.raises(ConfigInvalid, match="'sox' is none of soc2, pci-dss, hipaa, gdpr, iso22301"):
        load("sox")
