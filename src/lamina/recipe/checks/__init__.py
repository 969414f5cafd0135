"""Whether the options of a recipe suit one another, where several parts are involved."""
