"""Which hosts may be asked, and which addresses are public: whatever disguise one comes in."""

from __future__ import annotations

import pytest

from mirror.reach import Reach, public


@pytest.mark.row(44, at="which addresses are not public: 39 forms, plain, mapped and tunnelled")
@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.255.255.254", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.0.1"),
        *("169.254.169.254", "100.64.0.1", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1"),
        *("224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a00:1"),
        *(
            "192.0.0.192",
            "192.88.99.1",
            "::7f00:1",
            "::127.0.0.1",
            "64:ff9b:1::1",
            "2001:0:7f00:1::",
            "3fff::1",
            "fec0::1",
        ),
        *("2002:7f00:1::", "2002:a00:1::", "2002:a9fe:a9fe::", "2001::1", "", "localhost", "1.2.3", "0x7f.1"),
    ],
)
def test_it_is_not_public(address: str) -> None:
    """Seen red: an IPv4 address in the form of IPv6 is not looked into."""
    assert not public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_it_is_public(address: str) -> None:
    assert public(address)


def test_a_pattern_without_a_port_means_the_usual_one() -> None:
    reach = Reach(("*.example.com", "upstream.test:8443", "*:9000"))
    asked = [("https", "a.example.com", None), ("http", "A.Example.com", 80), ("https", "upstream.test", 8443)]
    assert all(reach.admits(*each) for each in [*asked, ("http", "any.test", 9000)])
    refused = [("https", "a.example.com", 80), ("https", "example.com", None), ("https", "upstream.test", None)]
    assert not any(reach.admits(*each) for each in refused)
    assert not Reach(()).admits("https", "example.com", None)
    assert Reach().admits("https", "example.com", 1234)


@pytest.mark.row(44, at="what an operator names is trusted, and only that")
def test_only_what_is_trusted_may_be_at_a_private_address() -> None:
    reach = Reach(private=False, trusted=frozenset({("http", "127.0.0.1:8080")}))
    assert not reach.guarded("http", "127.0.0.1:8080")
    assert all(
        reach.guarded(*each) for each in [("https", "127.0.0.1:8080"), ("http", "127.0.0.1"), ("http", "x.test")]
    )
    assert not Reach(private=True).guarded("http", "x.test")
