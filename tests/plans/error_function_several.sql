CREATE FUNCTION f AS 'module.wasm';
