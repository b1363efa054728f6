// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

/// @notice A well-behaved token with EIP-2612 permits that anybody may mint: for tests and the demonstration only.
contract TestToken is ERC20Permit {
    uint8 private immutable _scale;

    constructor(string memory name, string memory symbol, uint8 scale) ERC20(name, symbol) ERC20Permit(name) {
        _scale = scale;
    }

    function decimals() public view override returns (uint8) {
        return _scale;
    }

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}

/// @notice A well-behaved token with EIP-3009 authorizations that anybody may mint, as the larger stablecoins have it.
contract AuthorizationToken is ERC3009 {
    uint8 private immutable _scale;

    constructor(string memory name, string memory symbol, uint8 scale) ERC20(name, symbol) EIP712(name, "1") {
        _scale = scale;
    }

    function decimals() public view override returns (uint8) {
        return _scale;
    }

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}
