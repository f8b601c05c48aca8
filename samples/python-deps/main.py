import inflection


def handler(event):
    text = event.get("name", "world")
    return {"slug": inflection.parameterize(f"Hello, {text}!")}
