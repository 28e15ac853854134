"""What a component asks its environment to be: packages, indexes, virtual environments, another kfp or none."""

from kfp import dsl


@dsl.component(base_image="python:3.11", packages_to_install=["six==1.17.0", "tabulate"])
def packages() -> str:
    import six
    import tabulate

    return f"{six.__version__} {tabulate.tabulate([['a', 1]], tablefmt='plain')}"


@dsl.component(
    base_image="python:3.11",
    packages_to_install=["six>=1.16,<2 ; python_version > '3'"],
    pip_index_urls=["http://index.test/simple"],
    pip_trusted_hosts=["index.test"],
)
def index() -> bool:
    import six

    return six.PY3


@dsl.component(base_image="python:3.11", packages_to_install=["six"], use_venv=True)
def virtual() -> bool:
    import six

    return six.PY3


@dsl.component(base_image="python:3.11", packages_to_install=["six"], install_kfp_package=False)
def no_kfp() -> bool:
    import six

    return six.PY3


@dsl.pipeline(name="environment-packages")
def packages_pipeline():
    """Packages, a range with a marker, an index with a trusted host, a virtual environment, and the kfp of the image."""
    packages()
    index()
    virtual()
    no_kfp()


ALL = [packages_pipeline]
