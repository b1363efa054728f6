// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @notice Keeps one hundredth of every transfer.
contract FeeToken is ERC20 {
    constructor() ERC20("Fee", "FEE") {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function _update(address from, address to, uint256 amount) internal override {
        uint256 fee = from == address(0) || to == address(0) ? 0 : amount / 100;
        if (fee > 0) super._update(from, address(0), fee);
        super._update(from, to, amount - fee);
    }
}

/// @notice Misbehaves towards chosen receivers, in several ways.
contract BlockingToken is ERC20 {
    enum Manner {
        Pay,
        Revert,
        ReturnFalse,
        BurnGas,
        ReturnBomb
    }

    mapping(address account => Manner manner) public mannerOf;

    error Blocked(address account);

    constructor() ERC20("Blocking", "BLK") {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function setManner(address account, Manner manner) external {
        mannerOf[account] = manner;
    }

    function transfer(address to, uint256 amount) public override returns (bool) {
        Manner manner = mannerOf[to];
        if (manner == Manner.Revert) revert Blocked(to);
        if (manner == Manner.ReturnFalse) return false;
        if (manner == Manner.BurnGas) {
            while (true) {}
        }
        if (manner == Manner.ReturnBomb) {
            assembly {
                revert(0, 100000)
            }
        }
        return super.transfer(to, amount);
    }
}

/// @notice Changes an allowance to nothing or from nothing only, as Tether does.
contract ResetToken is ERC20 {
    constructor() ERC20("Reset", "RST") {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function approve(address spender, uint256 amount) public override returns (bool) {
        require(amount == 0 || allowance(msg.sender, spender) == 0, "not from nothing");
        return super.approve(spender, amount);
    }
}

/// @notice Returns nothing, like tokens that are older than the standard.
contract SilentToken {
    mapping(address account => uint256 amount) public balanceOf;
    mapping(address owner => mapping(address spender => uint256 amount)) public allowance;

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function approve(address spender, uint256 amount) external {
        allowance[msg.sender][spender] = amount;
    }

    function transfer(address to, uint256 amount) external {
        balanceOf[msg.sender] -= amount;
        balanceOf[to] += amount;
    }

    function transferFrom(address from, address to, uint256 amount) external {
        allowance[from][msg.sender] -= amount;
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
    }
}

/// @notice Makes a call of somebody's choice within every transfer.
contract HookToken is ERC20 {
    address public target;
    bytes public data;
    /// @notice How many calls were made, and how many of them went through.
    uint256 public calls;
    uint256 public successes;

    constructor() ERC20("Hook", "HOOK") {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function setHook(address to, bytes calldata what) external {
        target = to;
        data = what;
    }

    function _update(address from, address to, uint256 amount) internal override {
        super._update(from, to, amount);
        if (target == address(0) || from == address(0)) return;
        ++calls;
        (bool success,) = target.call(data);
        if (success) ++successes;
    }
}
