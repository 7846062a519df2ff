"""Which variables of the environment hold a secret that no page may show."""

import os

from traunet.book import leaks


def test_values_of_variables_that_are_called_like_secrets_are_looked_for_but_no_methods_and_authors(monkeypatch):
    for name in os.environ:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", "/home/anna")
    named = (
        "DB_PASS",
        "PASSPHRASE",
        "SLURM_JWT",
        "KUBE_BEARER",
        "HF_AUTH",
        "BASIC_AUTHORIZATION",
        "A_COOKIE",
        "SSH_KEY",
    )
    told = {name: f"value-of-{name}" for name in named}
    others = {
        "AUTH_METHOD": "kerberos",
        "SORT_KEY": "lastname",
        "GIT_AUTHOR_NAME": "Anna M. Bea",
        "KEYMAP": "us-dvorak",
    }
    for name, value in {**told, **others}.items():
        monkeypatch.setenv(name, value)
    private = leaks.private_texts()
    assert set(told.values()) <= set(private)
    assert not set(others.values()) & set(private)
